# The command `ecs-updater` as an image, for systems without Python: make image, or docker build -t ecs-updater .
# BASE is any image with Python 3.11 or newer and pip. `make image` pins its digest.
ARG BASE=python:3.13-slim

FROM ${BASE} AS build
COPY scripts/environments/cli.txt /
RUN python3 -m pip install --no-cache-dir --disable-pip-version-check --root-user-action ignore \
  --require-hashes --only-binary :all: --target /app -r /cli.txt
# No build backend is needed: the packages are copied as they are.
COPY lambda_code/ecs_updater /app/ecs_updater
COPY lambda_code/ecs_updater_cli /app/ecs_updater_cli
RUN python3 -m compileall -q /app

FROM ${BASE}
COPY --from=build /app /app
ENV PYTHONPATH=/app PYTHONDONTWRITEBYTECODE=1 LANG=C.UTF-8 HOME=/tmp
# A user without a name, who owns nothing.
USER 10001:10001
WORKDIR /deployments
ENTRYPOINT ["python3", "-m", "ecs_updater_cli"]
CMD ["--help"]
