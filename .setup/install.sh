#!/bin/sh
# Brings this checkout to where `make run` (argument: run) or `make test` (argument: test) can start: system packages,
# .venv, Python packages from the lock. Does only what is missing and says what and why; silent when nothing is.
set -eu
cd "$(dirname "$0")/.."
for_what=${1:-run}
case $for_what in
run) locks=requirements.lock ;;
test) locks="requirements.lock tests/requirements.lock" ;;
*) echo "usage: install.sh run|test" >&2; exit 2 ;;
esac
stamp=.venv/.mictape-$for_what
python_bin=.venv/bin/python

say() { printf 'Mictape: %s\n' "$*" >&2; }

# What .venv was made from. A moved checkout, another Python, a changed lock: each gives another fingerprint.
fingerprint() {
    # shellcheck disable=SC2086  # the list of locks is meant to be split
    { pwd; "$python_bin" -V; cat $locks tests/pyaudio.lock .setup/install.sh; } 2>/dev/null | cksum
}

if [ -f "$stamp" ] && [ "$(cat "$stamp")" = "$(fingerprint)" ]; then exit 0; fi

# ---- Python ----------------------------------------------------------------------------------------------------------

python=
for candidate in ${PYTHON:-} python3 python3.14 python3.13 python3.12 python3.11; do
    if "$candidate" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then
        python=$candidate
        break
    fi
done
if [ -z "$python" ]; then
    say "needs Python 3.11 or newer, and none is on the PATH. Install one, or name it: make $for_what PYTHON=/path/to/python3."
    exit 1
fi

# ---- System packages -------------------------------------------------------------------------------------------------

wanted='' reasons=''
want() { # want PACKAGE REASON: a package may be several words, or empty where a system brings the thing anyway
    if [ -n "$1" ]; then wanted="$wanted $1" reasons="$reasons
  $1: $2"; fi
}
has_file() { for file in "$@"; do if [ -e "$file" ]; then return 0; fi; done; return 1; }
has() { command -v "$1" >/dev/null 2>&1; }

name_packages() { # the names that this system's package manager has for what may be missing
    if has apt-get; then
        manager=apt-get venv=python3-venv portaudio=libportaudio2 alsa_pulse=libasound2-plugins
        pulse="pulseaudio pulseaudio-utils" compiler="gcc libc6-dev" headers=libasound2-dev
        portaudio_headers=portaudio19-dev python_headers=python3-dev
        # The package python3-venv belongs to the system's own python3; others have theirs.
        if [ "$(command -v "$python")" != /usr/bin/python3 ]; then venv=$("$python" -c \
            'import sys; print("python%d.%d-venv" % sys.version_info[:2])'); fi
    elif has dnf; then
        manager=dnf venv=python3-libs portaudio=portaudio alsa_pulse=alsa-plugins-pulseaudio
        pulse="pulseaudio pulseaudio-utils" compiler="gcc glibc-devel" headers=alsa-lib-devel
        portaudio_headers=portaudio-devel python_headers=python3-devel
    elif has pacman; then
        manager=pacman venv=python portaudio=portaudio alsa_pulse=alsa-plugins
        pulse="pulseaudio libpulse" compiler=gcc headers=alsa-lib
        portaudio_headers=portaudio python_headers=python
    elif has zypper; then
        manager=zypper venv=python3-base portaudio=libportaudio2 alsa_pulse=alsa-plugins-pulse
        pulse="pulseaudio pulseaudio-utils" compiler="gcc glibc-devel" headers=alsa-devel
        portaudio_headers=portaudio-devel python_headers=python3-devel
    elif has apk; then
        manager=apk venv=python3 portaudio=portaudio alsa_pulse=alsa-plugins-pulse
        pulse="pulseaudio pulseaudio-utils" compiler="gcc musl-dev" headers=alsa-lib-dev
        portaudio_headers=portaudio-dev python_headers=python3-dev
    else
        portaudio_headers=portaudio-headers python_headers=python-headers
        manager='' venv=python3-venv portaudio=portaudio alsa_pulse=alsa-plugins
        pulse=pulseaudio compiler=gcc headers=alsa-lib-headers
    fi
}

find_missing() {
    wanted='' reasons=''
    "$python" -c 'import ensurepip, venv' 2>/dev/null || want "$venv" "makes .venv, where the Python packages go"
    # The same question that the Python package sounddevice asks when it is imported.
    "$python" -c 'import sys, ctypes.util; sys.exit(not ctypes.util.find_library("portaudio"))' 2>/dev/null ||
        want "$portaudio" "records from a device"
    has_file /usr/lib/*/alsa-lib/libasound_module_pcm_pulse.so /usr/lib*/alsa-lib/libasound_module_pcm_pulse.so ||
        want "$alsa_pulse" "records from PulseAudio and PipeWire"
    if [ "$for_what" = test ]; then
        { has pulseaudio && has pactl && has paplay; } || want "$pulse" "a private sound server for the tests"
        has espeak-ng || want espeak-ng "speech for the tests"
        { has gcc && has_file /usr/include/stdio.h; } || want "$compiler" "builds the tests' microphone with a real clock"
        has_file /usr/include/alsa/asoundlib.h || want "$headers" "as above"
        has_file /usr/include/portaudio.h || want "$portaudio_headers" "builds PyAudio, the other backend"
        has_python_headers || want "$python_headers" "as above"
    fi
}

has_python_headers() {
    "$python" -c 'import sys, sysconfig, pathlib
sys.exit(not pathlib.Path(sysconfig.get_path("include"), "Python.h").exists())' 2>/dev/null
}

install_packages() { # install_packages RUNNER...: with sudo in front, or nothing; the package names are in $wanted
    # shellcheck disable=SC2086  # the list of packages is meant to be split
    case $manager in
    apt-get)
        "$@" apt-get update -qq &&
            "$@" env DEBIAN_FRONTEND=noninteractive apt-get install -qq -y --no-install-recommends $wanted
        ;;
    dnf) "$@" dnf install -q -y $wanted ;;
    pacman) "$@" pacman -S --needed --noconfirm $wanted ;;
    zypper) "$@" zypper --non-interactive --quiet install $wanted ;;
    apk) "$@" apk add --quiet $wanted ;;
    *) return 1 ;;
    esac >&2
}

complete=yes
if [ "$(uname -s)" = Linux ]; then # on macOS the Python packages bring their libraries
    name_packages
    find_missing
    if [ -n "$wanted" ]; then
        say "these system packages are missing:$reasons"
        runner=
        if [ "$(id -u)" != 0 ]; then runner=sudo; fi
        if [ -z "$manager" ]; then
            say "knows no package manager here. Install them by hand and start again."
        elif [ -n "$runner" ] && ! has sudo; then
            say "may not install them: you are not root and there is no sudo. Ask for them and start again."
        else
            say "installing them with ${runner:+$runner }$manager."
            # A pipe as stdin (CI) must not be read by the package manager.
            install_packages $runner </dev/null || say "$manager refused, see above."
        fi
        find_missing
        if [ -n "$wanted" ]; then
            complete=no
            say "goes on without:$wanted."
        fi
    fi
fi
if ! "$python" -c 'import ensurepip, venv' 2>/dev/null; then
    say "cannot make .venv: $python has no ensurepip. Install ${venv:-a complete Python} and start again."
    exit 1
fi

# ---- Python packages -------------------------------------------------------------------------------------------------

if ! "$python_bin" -c 'import pip' 2>/dev/null; then
    "$python" -m venv --clear .venv
fi
if [ "$(cat "$stamp-packages" 2>/dev/null)" != "$(fingerprint)" ]; then
    say "installing the Python packages into .venv (once; a minute or two)."
    set --
    for lock in $locks; do
        fitting=.venv/$(echo "$lock" | tr / -)
        "$python_bin" .setup/fitting.py "$lock" >"$fitting"
        set -- "$@" -r "$fitting"
    done
    "$python_bin" -m pip install --quiet --disable-pip-version-check --require-hashes "$@"
    # The checkout itself: on the path, and with the command that an installed Mictape has. No build is needed.
    packages=$("$python_bin" -c 'import sysconfig; print(sysconfig.get_path("purelib"))')
    echo "$PWD/tui" >"$packages/mictape.pth"
    printf '#!/bin/sh\nexec "%s" -P -m mictape "$@"\n' "$PWD/$python_bin" >.venv/bin/mictape
    chmod +x .venv/bin/mictape
    fingerprint >"$stamp-packages"
fi
# PyAudio is compiled, with the setuptools of the lock; where that cannot be, the tests of that backend are skipped.
if [ "$for_what" = test ] && [ -s tests/pyaudio.lock ]; then
    "$python_bin" -m pip install --quiet --disable-pip-version-check --require-hashes --no-build-isolation \
        --no-deps -r tests/pyaudio.lock >.venv/pyaudio.log 2>&1 ||
        say "goes on without PyAudio, which could not be built: its tests are skipped (.venv/pyaudio.log tells why)."
fi
# What is missing is looked for again next time; what is there is not.
if [ "$complete" = yes ]; then fingerprint >"$stamp"; fi
