# The images of brokers and ZooKeeper nodes: what deploy/kafka/pom.xml pins, on a Java that has the modules it uses.
#
# As node.Dockerfile: BASE is where things are put together, and none of it stays.
ARG BASE=debian:12-slim

FROM ${BASE} AS lists
RUN apt-get update -qq

FROM lists AS java
# Unpacked, not installed: jlink needs nothing else that these depend on.
WORKDIR /jdk
RUN apt-get download -qq openjdk-17-jre-headless openjdk-17-jdk-headless \
 && for package in *.deb; do dpkg -x "$package" /; done
RUN /usr/lib/jvm/java-17-openjdk-*/bin/jlink --output /image/opt/java \
      --strip-java-debug-attributes --no-header-files --no-man-pages --add-modules \
      java.base,java.logging,java.management,java.naming,java.security.jgss,java.security.sasl,java.sql,java.xml \
      --add-modules jdk.crypto.ec,jdk.management,jdk.naming.dns,jdk.net,jdk.unsupported,jdk.zipfs \
 && /image/opt/java/bin/java -Xshare:dump -XX:+UseSerialGC > /dev/null \
 && rm -f /image/opt/java/bin/jrunscript /image/opt/java/bin/keytool
WORKDIR /packages
RUN apt-get download -qq base-files libc6 libgcc-s1 libstdc++6 zlib1g \
 && for package in *.deb; do dpkg -x "$package" /image; done \
 && rm -rf /image/usr/share/doc /image/usr/share/man /image/usr/share/lintian /image/home /image/media /image/mnt /image/usr/lib/*/gconv
RUN echo 'kafka:x:10001:10001::/tmp:/nologin' > /image/etc/passwd \
 && echo 'kafka:x:10001:' > /image/etc/group \
 && echo 'hosts: files dns' > /image/etc/nsswitch.conf \
 && mkdir -p /image/etc/kafka /image/etc/zookeeper \
 && install -d -o 10001 -g 10001 -m 0700 /image/var/lib/kafka /image/var/lib/zookeeper \
 && chmod 1777 /image/tmp

FROM scratch AS member
COPY --from=java /image/ /
COPY lib /opt/kafka/lib
COPY log4j.properties /opt/kafka/log4j.properties
# JDK_JAVA_OPTIONS is read by java itself: the heap is the operator's to choose.
ENV PATH=/opt/java/bin LANG=C.UTF-8 JDK_JAVA_OPTIONS="-Xmx256m -XX:+UseSerialGC -Djava.awt.headless=true"
USER 10001:10001

FROM member AS kafka
ARG VERSION
ARG REVISION
LABEL org.opencontainers.image.title="Kafka, for PrivySharing" \
      org.opencontainers.image.description="A broker: keeps the ordering log." \
      org.opencontainers.image.version="${VERSION}" \
      org.opencontainers.image.revision="${REVISION}" \
      org.opencontainers.image.licenses="Apache-2.0"
WORKDIR /var/lib/kafka
EXPOSE 9092
ENTRYPOINT ["java", "-Dlog4j.configuration=file:/opt/kafka/log4j.properties", "-cp", "/opt/kafka/lib/*", "kafka.Kafka"]
CMD ["/etc/kafka/server.properties"]

FROM member AS zookeeper
ARG VERSION
ARG REVISION
LABEL org.opencontainers.image.title="ZooKeeper, for PrivySharing" \
      org.opencontainers.image.description="A node of the ensemble that knows which brokers live." \
      org.opencontainers.image.version="${VERSION}" \
      org.opencontainers.image.revision="${REVISION}" \
      org.opencontainers.image.licenses="Apache-2.0"
WORKDIR /var/lib/zookeeper
EXPOSE 2181 2888 3888
ENTRYPOINT ["java", "-Dlog4j.configuration=file:/opt/kafka/log4j.properties", "-cp", "/opt/kafka/lib/*", \
            "org.apache.zookeeper.server.quorum.QuorumPeerMain"]
CMD ["/etc/zookeeper/zoo.cfg"]
