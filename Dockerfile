# syntax=docker/dockerfile:1
# Two images from one file: `web` without torch (web, workers, clock) and `student` with it (engine, training).
#   docker build --target student --build-arg TORCH_INDEX=URL .    for a build of torch other than pip's own choice

FROM python:3.11-slim-bookworm AS base
ENV PATH=/opt/venv/bin:$PATH PYTHONUNBUFFERED=1 PYTHONDONTWRITEBYTECODE=1 PIP_DISABLE_PIP_VERSION_CHECK=1 DISTILLERY_VAR=/data
RUN groupadd --gid 10001 distillery \
    && useradd --uid 10001 --gid 10001 --no-create-home --home-dir /data --shell /usr/sbin/nologin distillery \
    && install --directory --owner=10001 --group=10001 --mode=0750 /data
WORKDIR /app

FROM base AS web-packages
RUN python -m venv /opt/venv
COPY pyproject.toml constraints.txt ./
COPY scripts/requirements.py scripts/
RUN --mount=type=cache,target=/root/.cache/pip \
    python scripts/requirements.py label > /tmp/requirements.txt \
    && pip install --constraint constraints.txt --requirement /tmp/requirements.txt

FROM web-packages AS student-packages
ARG TORCH_INDEX=
RUN --mount=type=cache,target=/root/.cache/pip \
    python scripts/requirements.py students > /tmp/requirements.txt \
    && if [ -n "$TORCH_INDEX" ]; then pip install --no-deps --index-url "$TORCH_INDEX" "$(grep '^torch==' /tmp/requirements.txt)"; fi \
    && pip install --constraint constraints.txt --requirement /tmp/requirements.txt

FROM base AS web
COPY --from=web-packages /opt/venv /opt/venv
COPY . .
USER 10001:10001
VOLUME /data
EXPOSE 8000
ENTRYPOINT ["python", "manage.py"]
CMD ["up", "--only", "web"]

FROM base AS student
COPY --from=student-packages /opt/venv /opt/venv
COPY . .
USER 10001:10001
VOLUME /data
ENTRYPOINT ["python", "manage.py"]
CMD ["up", "--only", "gpu"]
