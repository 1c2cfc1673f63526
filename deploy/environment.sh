#!/usr/bin/env bash
# Make the Python environment that every other target runs in: deploy/environment.sh FOLDER [PYTHON]
set -euo pipefail
venv=$1
python=${2:-}

# Seconds that an interpreter takes for a fixed piece of work, if it can run this system.
# Nodes run on what distributions build with optimisation a tenth faster, and more, than on what was built without.
seconds_of() {
  "$1" - 2>/dev/null <<'EOF'
import ensurepip, sys, time, venv

def work():
    counts, began = {}, time.perf_counter()
    for number in range(100000):
        counts[number % 100] = counts.get(number % 100, 0) + len(str(number))
    return time.perf_counter() - began

if sys.version_info[:2] == (3, 11):  # what requirements.lock is for
    print("%.6f" % min(work() for _ in range(5)))
EOF
}

if [ -z "$python" ]; then
  python=$(for one in $(type -aP python3.11 python3); do
    if seconds=$(seconds_of "$one"); then echo "$seconds $one"; fi
  done | grep '^[0-9]' | sort -n | head -n 1 | cut -d ' ' -f 2)
  python=${python:-python3}
fi
"$python" -c 'import sys; sys.exit(sys.version_info < (3, 11))' || {
  echo "needed: Python 3.11 or newer; found: $("$python" --version); try: make PYTHON=python3.11" >&2
  exit 1
}
"$python" -c 'import venv, ensurepip' || {
  echo "needed: Python's venv module; install it with: apt-get install python3-venv" >&2
  exit 1
}
echo "setting up $venv with $python (once; a minute or two)"
"$python" -m venv --clear "$venv"
pip=("$venv/bin/pip" install -q --disable-pip-version-check)
"${pip[@]}" --require-hashes -r requirements.lock
"${pip[@]}" --require-hashes --no-deps -r recordings.lock
"${pip[@]}" --no-deps --no-build-isolation -e .
