# The images of nodes and clients: `make images` builds them, from a context that deploy/images/context.py gathers.
#
# BASE is where things are put together: Debian 12, or what `make image-base` makes of its packages. Nothing runs in it
# later. An image is what a node needs and no more: the C library, Python and what our lock pins; no shell, no package
# manager, no compiler, no pip.
ARG BASE=debian:12-slim

FROM ${BASE} AS lists
RUN apt-get update -qq

# --- the C library and Python, unpacked
FROM lists AS python
RUN apt-get install -qq -y --no-install-recommends python3.11-venv
WORKDIR /packages
RUN apt-get download -qq base-files media-types libc6 libgcc-s1 libstdc++6 libcrypt1 zlib1g libbz2-1.0 liblzma5 \
      libexpat1 libffi8 libssl3 libuuid1 python3.11-minimal libpython3.11-minimal libpython3.11-stdlib \
 && for package in *.deb; do dpkg -x "$package" /image; done \
 && python3.11 -m compileall -q -s /image /image/usr/lib/python3.11 \
 && rm -rf /image/usr/share/doc /image/usr/share/man /image/usr/share/lintian /image/home /image/media /image/mnt /image/usr/lib/*/gconv \
      /image/usr/lib/python3.11/lib2to3 /image/usr/lib/python3.11/pydoc_data
RUN echo 'privy:x:10001:10001::/tmp:/nologin' > /image/etc/passwd \
 && echo 'privy:x:10001:' > /image/etc/group \
 && echo 'hosts: files dns' > /image/etc/nsswitch.conf \
 && mkdir -p /image/etc/privysharing \
 && install -d -o 10001 -g 10001 -m 0700 /image/var/lib/privysharing \
 && chmod 1777 /image/tmp

# --- what our lock pins, from the wheels in the context, whose hashes pip verifies
FROM python AS libraries
COPY requirements.lock /
COPY wheels /wheels
RUN python3.11 -m venv /opt/privysharing \
 && /opt/privysharing/bin/pip install -q --no-index --find-links /wheels --require-hashes -r /requirements.lock \
 && /opt/privysharing/bin/pip uninstall -q -y pip setuptools \
 && rm -f /opt/privysharing/bin/[aA]ctivate*

# --- our own distribution, and the recordings of the demo, each in a layer of its own
FROM python AS distribution
COPY distribution /wheels
RUN python3.11 -m venv /opt/privysharing \
 && /opt/privysharing/bin/pip install -q --no-index --no-deps --prefix /own /wheels/*.whl

FROM python AS recordings
COPY recordings.lock /
COPY recordings /wheels
RUN python3.11 -m venv /opt/privysharing \
 && /opt/privysharing/bin/pip install -q --no-index --find-links /wheels --no-deps --no-compile --require-hashes \
      --prefix /own -r /recordings.lock

# --- what all roles share
FROM scratch AS node
COPY --from=python /image/ /
COPY --from=libraries /opt/privysharing/ /opt/privysharing/
COPY --from=distribution /own/ /opt/privysharing/
ENV PATH=/opt/privysharing/bin PYTHONDONTWRITEBYTECODE=1 PYTHONUNBUFFERED=1 LANG=C.UTF-8 HOME=/tmp
USER 10001:10001
WORKDIR /var/lib/privysharing

FROM node AS orderer
ARG VERSION
ARG REVISION
LABEL org.opencontainers.image.title="PrivySharing orderer" \
      org.opencontainers.image.description="Takes envelopes, puts them in one order per channel, serves signed blocks." \
      org.opencontainers.image.version="${VERSION}" \
      org.opencontainers.image.revision="${REVISION}" \
      org.opencontainers.image.licenses="Apache-2.0"
EXPOSE 7050 8443
ENTRYPOINT ["privy-orderer"]
CMD ["--config", "/etc/privysharing/orderer.yaml"]

FROM node AS peer
ARG VERSION
ARG REVISION
LABEL org.opencontainers.image.title="PrivySharing peer" \
      org.opencontainers.image.description="Endorses proposals, follows its channels' orderers, keeps their ledgers." \
      org.opencontainers.image.version="${VERSION}" \
      org.opencontainers.image.revision="${REVISION}" \
      org.opencontainers.image.licenses="Apache-2.0"
EXPOSE 7051 9443
ENTRYPOINT ["privy-peer"]
CMD ["--config", "/etc/privysharing/core.yaml"]

FROM node AS client
COPY --from=recordings /own/ /opt/privysharing/
ARG VERSION
ARG REVISION
LABEL org.opencontainers.image.title="PrivySharing client" \
      org.opencontainers.image.description="The command line: privy." \
      org.opencontainers.image.version="${VERSION}" \
      org.opencontainers.image.revision="${REVISION}" \
      org.opencontainers.image.licenses="Apache-2.0"
ENV PRIVY_NETWORK=/etc/privysharing
ENTRYPOINT ["privy"]
