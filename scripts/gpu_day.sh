#!/usr/bin/env bash
# Everything that can only be found out on a GPU, without internet, in three to six minutes there.
#
#   scripts/gpu_day.sh prepare    where there is internet: packages and networks into .wheels/1, 2 and 3, of 45 MB each
#   scripts/gpu_day.sh part N     on the GPU machine: take part N over into /tmp, where it outlives a call
#   scripts/gpu_day.sh run        on the GPU machine: unpack, test, then measure; results go to $OUT
#
# Where 64 MiB travel per call and the machine stays for a while after each: one call per part, then the run:
#   carry .wheels/1: bash scripts/gpu_day.sh part 1
#   carry .wheels/2: bash scripts/gpu_day.sh part 2
#   carry .wheels/3: bash scripts/gpu_day.sh part 3 && bash scripts/gpu_day.sh run
# Such a machine starts in half a minute, and a call with a part takes 5 s. Without parts `run` uses what is installed.
# What is no timing runs at the same time (in five processes where pytest-xdist is installed), timings alone after it. A
# step that fails is written down, and the next one goes on; none begins or lasts beyond RUN_SECONDS (170; everything
# needs about 320: RUN_SECONDS=340 bash scripts/gpu_day.sh run).
set -u
cd "$(dirname "$0")/.."

PYTHON_THERE=3.12          # of the machine that has the GPU
PARTS=3
CARRIED=/tmp/rtswap-carried
UNPACKED=/tmp/rtswap-site  # holds site312, and in it networks
RUN_SECONDS=${RUN_SECONDS:-170}
PACKAGES="opencv-python-headless>=5,<6 av lz4 filterpy platformdirs"  # what such a machine with torch lacks

prepare() {
  local python=${PYTHON:-.venv/bin/python} work version ignored
  ignored=$(git rev-parse --git-path info/exclude)
  mkdir -p "$(dirname "$ignored")" && grep -qsx /.wheels/ "$ignored" || echo /.wheels/ >> "$ignored"
  work=$(mktemp -d) && mkdir -p "$work/sources" "$work/site312/networks"
  version=$($python -c 'from importlib.metadata import version; print(version("tensorrt_rtx"))') || exit 1
  # the two outer packages exist as sources only and hold no machine code: they are made into wheels here
  $python -m pip wheel -q --no-deps -w "$work/sources" "tensorrt_rtx==$version" "tensorrt_rtx_cu13==$version" || exit 1
  # shellcheck disable=SC2086
  $python -m pip install -q --no-deps --no-compile --only-binary=:all: --target "$work/site312" \
    --python-version $PYTHON_THERE --implementation cp --platform manylinux_2_28_x86_64 \
    --platform manylinux_2_17_x86_64 --platform manylinux2014_x86_64 "$work"/sources/*.whl \
    "tensorrt_rtx_cu13_libs==$version" "tensorrt_rtx_cu13_bindings==$version" $PACKAGES || exit 1
  networks "$python" "$work/site312/networks" || exit 1
  tar c -C "$work" site312 | xz -T0 -4 > "$work/all.txz"
  rm -rf .wheels/[1-9] && split -n $PARTS -d -a 1 --numeric-suffixes=1 "$work/all.txz" "$work/part" || exit 1
  for part in $(seq $PARTS); do mkdir -p ".wheels/$part" && mv "$work/part$part" ".wheels/$part/p"; done
  rm -rf "$work"
  du -sb .wheels/[1-9]
}

networks() {  # networks PYTHON FOLDER: those that are made from packages which the GPU machine lacks
  "$1" - "$2" <<'PY'
import shutil, sys
from rtswap.core.errors import ModelError
from rtswap.networks.catalog import shipped_catalog
from rtswap.networks.registry import Registry
for name, entry in shipped_catalog().items():
    if entry.asset or name.startswith("dlib"):  # in the repository, or 22 MB that no frame needs
        continue
    try:
        path = Registry().path(name)
    except ModelError as error:
        print(f"left out: {name}: {error}")
        continue
    for file in (path, path.with_suffix(".json")):
        shutil.copy(file, sys.argv[1])
PY
}

part() { mkdir -p $CARRIED && cp ".wheels/$1/p" "$CARRIED/$1" && ls -s $CARRIED; }

unpack() {  # the parts are pieces of one .txz, or of several one after the other
  mkdir -p $UNPACKED && cat $(seq -f "$CARRIED/%g" $PARTS) | xz -dc -T0 | tar x -i -C $UNPACKED
}

step() {  # step NAME SECONDS COMMAND...: its output in $LOGS/NAME.log, its end in $OUT/summary.txt
  local name=$1 limit=$2 began=$SECONDS left=$((RUN_SECONDS - SECONDS)) code; shift 2
  [ $left -lt "$limit" ] && limit=$left
  if [ "$limit" -lt 3 ]; then echo "$name: left out, no time" | tee -a "$OUT/summary.txt"; return; fi
  timeout "$limit" "$@" > "$LOGS/$name.log" 2>&1; code=$?
  echo "$name: exit $code after $((SECONDS - began)) s: $*" | tee -a "$OUT/summary.txt"
}

look() {  # what is no timing, at the same time
  local several=""; $python -c "import xdist" 2> /dev/null && several="-n 5"
  local pytest="$python -m pytest -q -p no:cacheprovider $several --timeout 60 -rs"
  step machine 30 bash -c "nvidia-smi; $python -c 'import torch, sys; print(sys.version, torch.__version__)'" &
  step doctor 60 bash -c "$python -m rtswap doctor; true" &  # cameras and codecs may be missing there
  step plans 60 $python scripts/build_engines.py &
  # torch's compiler takes half a minute, and nobody runs it but who asks for it
  step tests-cuda 100 $pytest -m cuda -k "not compiled" tests/compositing tests/engines tests/app/test_program_gpu.py \
    tests/gpu/test_captured_parts.py &
  step tests-torch 100 $pytest tests/contracts/test_engines.py tests/swappers/mesh/test_mesh_gpu.py -k "torch-cuda or mesh" &
  wait
}

measure() {  # timings, alone; the most important first
  local bench="$python -m rtswap bench"
  step gpu_loop 60 $python benchmarks/gpu_loop.py --json "$OUT/gpu_loop.json"
  step profile 30 $python benchmarks/gpu_profile.py
  step bench_torch-cuda 60 $bench --engine torch-cuda --overwrite --seconds 0.6 --out "$OUT/bench_torch-cuda.json"
  step bench_refiner 60 $bench --engine torch-cuda --swapper refiner --overwrite --seconds 0.6 --out "$OUT/bench_refiner.json"
  if grep -q "plans of tensorrt" "$LOGS/doctor.log"; then echo "bench_tensorrt: the card is not served" >> "$OUT/summary.txt"
  else step bench_tensorrt 60 $bench --engine tensorrt --overwrite --seconds 0.6 --out "$OUT/bench_tensorrt.json"; fi
  step gpu_engines 30 $python benchmarks/gpu_engines.py --seconds 0.02 --json "$OUT/gpu_engines.json"
  step streams 60 $bench --engine torch-cuda --streams 1,4,16 --overwrite --seconds 1.5 --out "$OUT/streams.json"
  step comparison 40 $bench --engine all --overwrite --seconds 0.5 --out "$OUT/comparison.json"
  step gpu 40 $python benchmarks/gpu.py --out "$LOGS/gpu.json"
}

run() {
  export OUT=${OUT:-benchmarks/results/gpu_day} PYTHONUNBUFFERED=1 RTSWAP_REQUIRE_CUDA=1
  LOGS=$(mktemp -d)
  mkdir -p "$OUT"; : > "$OUT/summary.txt"
  python=python3; [ -x .venv/bin/python ] && [ ! -d $CARRIED ] && python=.venv/bin/python
  if [ -d $CARRIED ]; then
    step unpack 60 bash "$0" unpack
    export PYTHONPATH=$PWD:$UNPACKED/site312 RTSWAP_CACHE=/tmp/rtswap-cache
    mkdir -p $RTSWAP_CACHE && cp $UNPACKED/site312/networks/* $RTSWAP_CACHE/
  fi
  look
  measure
  mv "$OUT"/*.png "$LOGS" 2> /dev/null
  tar cJf "$OUT/logs.txz" -C "$LOGS" .
  cat "$OUT/summary.txt"; echo "all: $SECONDS s"
  for name in tests-cuda tests-torch; do tail -n 25 "$LOGS/$name.log" | cut -c1-300; done
  ! grep -Eqv ': exit 0 |not served' "$OUT/summary.txt"
}

case ${1:-} in
  prepare) prepare ;;
  part) part "${2:?which part}" ;;
  unpack) unpack ;;
  run) run ;;
  *) sed -n '2,17s/^# \{0,1\}//p' "$0"; exit 2 ;;
esac
