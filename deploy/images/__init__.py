"""Images of every role, for any engine that runs containers.

Purpose: gather what goes into images (wheels as `requirements.lock` pins them, Kafka's archives as its `pom.xml` does,
our own distribution), and have a Docker engine build them: one image a role, all on one set of layers.
Data in: a base, which is Debian 12 by name, or one that is made here from Debian's packages. Data out: images
`privysharing/ROLE:VERSION` in the engine; README.md says what each reads, writes and listens on.
Does not: push images anywhere, run containers (`deploy.compose` does), or put any key into an image.
Failure: `Missing` says what is needed and the line that installs it; `DockerFault` has the last words of the engine.

Read in this order: `node.Dockerfile`, `kafka.Dockerfile`, `context`, `engine`, `base`, `build`. `make images` is the
way in from a shell.
"""
