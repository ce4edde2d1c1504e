# Two images, each an empty file system with Node, the few libraries it loads and one bundle: no shell, no package manager, no root.
#   docker build --target operator -t rekey/operator .
#   docker build --target sidecar -t rekey/sidecar .
FROM node:26-bookworm-slim AS packages
WORKDIR /src
COPY package.json package-lock.json ./
COPY lib/package.json lib/
COPY crds/package.json crds/
COPY operator/package.json operator/
COPY sidecar/package.json sidecar/
COPY e2e/package.json e2e/
# What the programs import and the bundler, at the versions of the lock file. `npm ci` would want all the development tools, and refuses
# a lock file that lacks the optional binaries of platforms other than its author's. No package needs its install script here.
RUN npm install --no-save --save-prod --omit=dev --ignore-scripts --no-audit --no-fund \
    "esbuild@$(node -p 'require("./package.json").devDependencies.esbuild')"

# What a program needs to run at all. The paths come from the dynamic linker, so this holds on every architecture.
FROM node:26-bookworm-slim AS root
RUN mkdir -p /root-of-image/etc /root-of-image/app \
    && ldd /usr/local/bin/node | grep -o '/[^ ]*' | sort -u | xargs cp --parents --dereference -t /root-of-image \
    && cp --parents /usr/local/bin/node /root-of-image \
    && echo 'rekey:x:65532:65532:rekey:/:/sbin/nologin' > /root-of-image/etc/passwd \
    && echo 'rekey:x:65532:' > /root-of-image/etc/group \
    # Without it the C library asks DNS only and never looks into the hosts file.
    && echo 'hosts: files dns' > /root-of-image/etc/nsswitch.conf

FROM packages AS bundle
COPY bundle.ts ./
COPY lib lib
COPY crds crds

FROM bundle AS operator-bundle
COPY operator operator
RUN node bundle.ts operator

FROM bundle AS sidecar-bundle
COPY sidecar sidecar
RUN node bundle.ts sidecar

FROM scratch AS operator
ARG VERSION=0.1.0
LABEL org.opencontainers.image.title="Rekey operator" \
      org.opencontainers.image.description="Watches MCPCredentials and adds the sidecar to MCP server pods" \
      org.opencontainers.image.licenses="Apache-2.0" \
      org.opencontainers.image.version="${VERSION}"
COPY --from=root /root-of-image /
COPY --from=operator-bundle /src/build/operator /app
USER 65532:65532
# As for the sidecar, below: some 10 MB.
ENV MALLOC_ARENA_MAX=1 MALLOC_MMAP_THRESHOLD_=32768
# The heap is a share of the container's memory limit; the rest is for buffers and Node itself. Small young generations: most of what is read
# from the API server is dropped at once, and would else be kept until 48 MB of it have gathered.
ENTRYPOINT ["/usr/local/bin/node", "--max-semi-space-size=2", "--max-old-space-size-percentage=60", "--disable-sigusr1", "/app/main.js"]

FROM scratch AS sidecar
ARG VERSION=0.1.0
LABEL org.opencontainers.image.title="Rekey sidecar" \
      org.opencontainers.image.description="Puts credentials into an MCP server's own calls on their way out" \
      org.opencontainers.image.licenses="Apache-2.0" \
      org.opencontainers.image.version="${VERSION}"
COPY --from=root /root-of-image /
COPY --from=sidecar-bundle /src/build/sidecar /app
USER 65532:65532
# One arena, and large pieces given back at once: glibc's defaults, made for many threads, keep a third of the memory of a busy sidecar for nothing.
ENV MALLOC_ARENA_MAX=1 MALLOC_MMAP_THRESHOLD_=32768
# A small young generation keeps connection churn from growing the process, gives memory outside of the heap back before it counts as old (which would
# have the whole heap marked), and is swept by one thread: waking others took more than they saved (6 % of a call, and 2 MB). No signal opens an inspector on a process that holds values.
ENTRYPOINT ["/usr/local/bin/node", "--max-semi-space-size=1", "--no-parallel-scavenge", "--max-old-space-size=28", "--disable-sigusr1", "/app/main.js"]
