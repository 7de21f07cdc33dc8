# The course with PyTorch for CPUs:
#   docker build --tag trm-lite .
#   docker run --rm --publish 8888:8888 trm-lite      and open the address that it prints
FROM python:3.12-slim

RUN apt-get update \
 && apt-get install --yes --no-install-recommends git make \
 && rm -rf /var/lib/apt/lists/* \
 && useradd --create-home student
USER student
WORKDIR /home/student/course

# The environment first, so that a change of a lesson does not fetch it again.
COPY --chown=student Makefile README.md LICENSE pyproject.toml requirements.txt ./
COPY --chown=student trm_lite trm_lite
COPY --chown=student assets assets
RUN make .venv/ready TORCH=cpu
COPY --chown=student . .

EXPOSE 8888
CMD [".venv/bin/jupyter", "lab", "--notebook-dir=.", "--ip=0.0.0.0", "--no-browser"]
