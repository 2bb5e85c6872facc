# syntax=docker/dockerfile:1
#
#   docker build --target hub  -t oncokring-hub .
#   docker build --target site -t oncokring-site .
#   docker build --target algorithm -t oncokring/site:1 .
#
# For a release, name the base image by its digest, so that the same bytes are built twice:
#   --build-arg PYTHON=python:3.12-slim-bookworm@sha256:<digest>
# The digest is not written here because it was not fetched when this file was made; look it up with
#   docker buildx imagetools inspect python:3.12-slim-bookworm
#
# Hub and site run as user 10001 with a read-only file system. They write in /data (hub) or /site (site)
# only: run with `--read-only --tmpfs /tmp --cap-drop ALL --security-opt no-new-privileges`.

ARG PYTHON=python:3.12-slim-bookworm

FROM ${PYTHON} AS base
ENV PYTHONDONTWRITEBYTECODE=1 \
    PYTHONUNBUFFERED=1 \
    PIP_DISABLE_PIP_VERSION_CHECK=1 \
    PIP_NO_CACHE_DIR=1 \
    PATH=/opt/oncokring/bin:$PATH
RUN groupadd --gid 10001 oncokring \
    && useradd --uid 10001 --gid 10001 --no-create-home --shell /usr/sbin/nologin oncokring

# -- hub -----------------------------------------------------------------------------------------

FROM base AS hub-build
RUN python -m venv /opt/oncokring
COPY requirements/hub.txt /tmp/hub.txt
RUN pip install --require-hashes -r /tmp/hub.txt
WORKDIR /src
COPY pyproject.toml README.md LICENSE ./
COPY registry registry
COPY federation federation
COPY consent consent
COPY studies studies
COPY migrations migrations
# setuptools comes from the lock, so nothing is fetched without a hash
RUN pip install --no-deps --no-build-isolation --no-index .

FROM base AS hub
COPY --from=hub-build /opt/oncokring /opt/oncokring
RUN install -d -o oncokring -g oncokring -m 0700 /data
USER 10001:10001
ENV ONCOKRING_DATA=/data
VOLUME /data
EXPOSE 8000
# The hub answers to its own name only, so the check asks by that name.
HEALTHCHECK --interval=30s --timeout=5s --start-period=30s --retries=3 \
    CMD ["python", "-c", "import os, urllib.parse as p, urllib.request as r; own = p.urlsplit(os.environ.get('ONCOKRING_ADDRESS') or 'http://127.0.0.1:8000').netloc; r.urlopen(r.Request('http://127.0.0.1:8000/health/live', headers={'Host': own}), timeout=4)"]
ENTRYPOINT ["oncokring"]
CMD ["serve", "--host", "0.0.0.0", "--port", "8000"]

# -- site ----------------------------------------------------------------------------------------
# Only what a hospital runs: no web framework, no database layer, none of the hub's code.

FROM base AS site-build
RUN python -m venv /opt/oncokring
COPY requirements/site.txt /tmp/site.txt
RUN pip install --require-hashes -r /tmp/site.txt
WORKDIR /src
COPY pyproject.toml README.md LICENSE ./
COPY registry/__init__.py registry/cli.py registry/
COPY federation/__init__.py federation/
COPY federation/query federation/query
COPY federation/methods federation/methods
COPY federation/disclosure federation/disclosure
COPY federation/protocol federation/protocol
COPY federation/carriage federation/carriage
COPY federation/prom federation/prom
COPY federation/indicators/__init__.py federation/indicators/catalogue.py \
    federation/indicators/definition.py federation/indicators/fields.py \
    federation/indicators/measures.py federation/indicators/reading.py \
    federation/indicators/target.py federation/indicators/
COPY federation/indicators/shipped federation/indicators/shipped
COPY federation/site federation/site
COPY consent/__init__.py consent/answered.py consent/bands.py consent/catalogue.py \
    consent/catalogue.yaml \
    consent/collecting.py consent/columns.py consent/encoding.py consent/errors.py \
    consent/evidence.py consent/finding.py consent/items.py consent/log.py \
    consent/parties.py consent/passkeys.py consent/periods.py consent/proof.py consent/rule.py \
    consent/second_factor.py consent/snapshot.py consent/text_id.py consent/
RUN pip install --no-deps --no-build-isolation --no-index .

FROM base AS site
COPY --from=site-build /opt/oncokring /opt/oncokring
RUN install -d -o oncokring -g oncokring -m 0700 /site
USER 10001:10001
VOLUME /site
HEALTHCHECK --interval=60s --timeout=10s --start-period=30s --retries=3 \
    CMD ["oncokring", "site", "status", "/site"]
ENTRYPOINT ["oncokring", "site"]
CMD ["run", "/site"]

# -- algorithm -----------------------------------------------------------------------------------
# For a hospital that runs the stock vantage6 node: the same site program, one message per container.
# The node makes the files of input and output as root, so this starts as root; before it opens the
# site's directory the program becomes the user who owns that (federation/site/vantage6/algorithm.py).

FROM base AS algorithm
COPY --from=site-build /opt/oncokring /opt/oncokring
CMD ["python", "-P", "-m", "federation.site.vantage6.algorithm"]
