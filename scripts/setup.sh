#!/bin/sh
# Brings this checkout to where `make run` (argument: run), `make test` (test) or `make check` (dev) can start: system
# packages, .venv, Python packages from the lock, the bundled models. Does only what is missing and says what and why;
# silent when nothing is. MICTAPE_NO_SYSTEM=1 leaves system packages alone.
set -eu
cd "$(dirname "$0")/.."
for_what=${1:-run}
case $for_what in
run) locks=requirements.lock ;;
dev | test) locks="requirements.lock tests/requirements.lock" ;;
*) echo "usage: setup.sh run|dev|test" >&2; exit 2 ;;
esac
stamp=.venv/.mictape-$for_what
python_bin=.venv/bin/python

say() { printf 'Mictape: %s\n' "$*" >&2; }

# What .venv was made from. A moved checkout, another Python, a changed lock: each gives another fingerprint.
fingerprint() {
    # shellcheck disable=SC2086  # the list of locks is meant to be split
    { pwd; "$python_bin" -V; cat $locks tests/pyaudio.lock scripts/setup.sh tui/mictape/bundled.py; } 2>/dev/null | cksum
}

if [ -f "$stamp" ] && [ "$(cat "$stamp")" = "$(fingerprint)" ]; then exit 0; fi

# ---- Python ----------------------------------------------------------------------------------------------------------

# The same bounds as requires-python in pyproject.toml, which says why.
fits='import sys; sys.exit(not (3, 11) <= sys.version_info < (3, 15))'
python=
for candidate in ${PYTHON:-} python3 python3.14 python3.13 python3.12 python3.11; do
    if "$candidate" -c "$fits" 2>/dev/null; then
        python=$candidate
        break
    fi
done
if [ -z "$python" ]; then
    say "needs Python 3.11 to 3.14, and none is on the PATH. Install one, or name it: make $for_what PYTHON=/path/to/python3."
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
        manager=apt-get venv=python3-venv portaudio=libportaudio2 parec=pulseaudio-utils
        pulse="pulseaudio pulseaudio-utils" compiler="gcc libc6-dev" headers=libasound2-dev
        portaudio_headers=portaudio19-dev python_headers=python3-dev
        # The package python3-venv belongs to the system's own python3; others have theirs.
        if [ "$(command -v "$python")" != /usr/bin/python3 ]; then venv=$("$python" -c \
            'import sys; print("python%d.%d-venv" % sys.version_info[:2])'); fi
    elif has dnf; then
        manager=dnf venv=python3-libs portaudio=portaudio parec=pulseaudio-utils
        pulse="pulseaudio pulseaudio-utils" compiler="gcc glibc-devel" headers=alsa-lib-devel
        portaudio_headers=portaudio-devel python_headers=python3-devel
    elif has pacman; then
        manager=pacman venv=python portaudio=portaudio parec=libpulse
        pulse="pulseaudio libpulse" compiler=gcc headers=alsa-lib
        portaudio_headers=portaudio python_headers=python
    elif has zypper; then
        manager=zypper venv=python3-base portaudio=libportaudio2 parec=pulseaudio-utils
        pulse="pulseaudio pulseaudio-utils" compiler="gcc glibc-devel" headers=alsa-devel
        portaudio_headers=portaudio-devel python_headers=python3-devel
    elif has apk; then
        manager=apk venv=python3 portaudio=portaudio parec=pulseaudio-utils
        pulse="pulseaudio pulseaudio-utils" compiler="gcc musl-dev" headers=alsa-lib-dev
        portaudio_headers=portaudio-dev python_headers=python3-dev
    else
        manager='' venv=python3-venv portaudio=portaudio parec=pulseaudio-utils
        pulse=pulseaudio compiler=gcc headers=alsa-lib-headers
        portaudio_headers=portaudio-headers python_headers=python-headers
    fi
}

find_missing() {
    wanted='' reasons=''
    can_make_venv || want "$venv" "makes .venv, where the Python packages go"
    if [ "$for_what" = dev ]; then return; fi
    # The same question that the Python package sounddevice asks when it is imported.
    "$python" -c 'import sys, ctypes.util; sys.exit(not ctypes.util.find_library("portaudio"))' 2>/dev/null ||
        want "$portaudio" "records from a device"
    # Either reaches PulseAudio and PipeWire. The ALSA plug-in would bring a hundred packages along.
    has parec ||
        has_file /usr/lib/*/alsa-lib/libasound_module_pcm_pulse.so /usr/lib*/alsa-lib/libasound_module_pcm_pulse.so ||
        want "$parec" "records from PulseAudio and PipeWire"
    if [ "$for_what" = test ]; then
        { has pulseaudio && has pactl && has paplay; } || want "$pulse" "a private sound server for the tests"
        has espeak-ng || want espeak-ng "speech for the tests"
        has ffmpeg || want ffmpeg "sound files of every kind for the tests"
        has tmux || want tmux "terminals that are closed in the tests"
        { has gcc && has_file /usr/include/stdio.h; } || want "$compiler" "builds the tests' microphone with a real clock"
        has_file /usr/include/alsa/asoundlib.h || want "$headers" "as above"
        has_file /usr/include/portaudio.h || want "$portaudio_headers" "builds PyAudio, the other backend"
        has_python_headers || want "$python_headers" "as above"
    fi
}

can_make_venv() { has uv || "$python" -c 'import ensurepip, venv' 2>/dev/null; }

has_python_headers() {
    "$python" -c 'import sys, sysconfig, pathlib
sys.exit(not pathlib.Path(sysconfig.get_path("include"), "Python.h").exists())' 2>/dev/null
}

install_command() { # what installs the packages in $wanted, as one line for a shell
    case $manager in
    apt-get) echo "apt-get install -y --no-install-recommends$wanted" ;;
    dnf) echo "dnf install -q -y$wanted" ;;
    pacman) echo "pacman -S --needed --noconfirm$wanted" ;;
    zypper) echo "zypper --non-interactive --quiet install$wanted" ;;
    apk) echo "apk add --quiet$wanted" ;;
    esac
}

agreed() { # on a terminal, whether the person wants the packages installed with sudo; elsewhere yes
    if [ -z "$runner" ] || ! [ -t 0 ] || ! [ -t 2 ]; then return 0; fi
    printf 'Mictape: install them with sudo %s? [Y/n] ' "$manager" >&2
    read -r answer
    case $answer in [nN]*) return 1 ;; esac
}

install_packages() {
    log=$(mktemp)
    # A pipe as stdin (CI) must not be read by the package manager, and its own output is only of use when it fails.
    if {
        if [ "$manager" = apt-get ]; then $runner apt-get update -qq; fi &&
            # shellcheck disable=SC2046  # the line is meant to be split into words
            $runner env DEBIAN_FRONTEND=noninteractive $(install_command)
    } </dev/null >"$log" 2>&1; then
        rm -f "$log"
    else
        tail -n 20 "$log" >&2
        rm -f "$log"
        say "$manager refused, see above."
    fi
}

if [ "$(uname -s)" = Linux ]; then # on macOS the Python packages bring their libraries
    name_packages
    find_missing
    if [ -n "$wanted" ]; then
        say "these system packages are missing:$reasons"
        runner=
        if [ "$(id -u)" != 0 ]; then runner=sudo; fi
        if [ -n "${MICTAPE_NO_SYSTEM:-}" ]; then
            say "leaving system packages alone (MICTAPE_NO_SYSTEM is set)."
        elif [ -z "$manager" ]; then
            say "no known package manager was found. Install the packages yourself."
        elif [ -n "$runner" ] && ! has sudo; then
            say "ask an administrator to run: $(install_command)"
        elif agreed; then
            say "installing them with ${runner:+$runner }$manager."
            install_packages
        else
            say "to install them later: sudo $(install_command)"
        fi
        find_missing
        if [ -n "$wanted" ] && can_make_venv; then say "continuing without:$wanted."; fi
    fi
fi
if ! can_make_venv; then
    say "cannot make .venv: $python has no ensurepip. Install ${venv:-a complete Python} and start again."
    exit 1
fi

# ---- Python packages -------------------------------------------------------------------------------------------------

install_python_packages() { # install_python_packages ARGUMENTS: of `pip install`
    if has uv; then
        uv pip install --quiet --python "$python_bin" "$@"
    else
        "$python_bin" -m pip install --quiet --disable-pip-version-check "$@"
    fi
}

stop_without_packages() { # with what the installer said, in $log
    if grep -qiE 'retrying|connection|network|dns|resolve|offline' "$log"; then
        say "the Python packages could not be fetched. Connect to the network and start again."
        if [ -d .venv ]; then
            cat "$log" >.venv/install.log
            say "the details are in .venv/install.log."
        fi
    else
        cat "$log" >&2
        say "the Python packages could not be installed, see above."
    fi
    rm -f "$log"
    exit 1
}

if ! "$python_bin" -c 'import pip' 2>/dev/null; then
    log=$(mktemp)
    if has uv; then
        uv venv --quiet --clear --seed --python "$python" .venv >"$log" 2>&1 || stop_without_packages
    else
        "$python" -m venv --clear .venv
    fi
    rm -f "$log"
fi
if [ "$(cat "$stamp-packages" 2>/dev/null)" != "$(fingerprint)" ]; then
    say "installing the Python packages into .venv (once; a minute or two)."
    set --
    for lock in $locks; do
        fitting=.venv/$(echo "$lock" | tr / -)
        "$python_bin" scripts/fitting.py "$lock" >"$fitting"
        set -- "$@" -r "$fitting"
    done
    log=$(mktemp)
    install_python_packages --require-hashes "$@" >"$log" 2>&1 || stop_without_packages
    rm -f "$log"
    "$python_bin" scripts/bundled_models.py
    # The checkout itself: on the path, and with the command that an installed Mictape has. No build is needed.
    # -P: a folder `mictape` in the current folder must not stand in for this package.
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
        say "continuing without PyAudio, which could not be built: its tests are skipped (see .venv/pyaudio.log)."
fi
# What the tests lack is looked for again next time. The app itself says what it lacks, so it is asked once.
if [ -z "$wanted" ] || [ "$for_what" != test ]; then fingerprint >"$stamp"; fi
