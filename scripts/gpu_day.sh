#!/usr/bin/env bash
# Everything that can only be found out on a GPU, in one go of less than ten minutes, without internet.
#
#   scripts/gpu_day.sh prepare    where there is internet: fetch wheels and networks into .wheels/, in parts that travel
#   scripts/gpu_day.sh part N     on the GPU machine: take part N of .wheels/ over into /tmp, where it outlives a call
#   scripts/gpu_day.sh run        on the GPU machine: install, test, build plans, measure; results go to $OUT
#
# Where 64 MiB travel per call and the machine stays for a while after each: one call per part, then the run:
#   carry .wheels/1: bash scripts/gpu_day.sh part 1
#   carry .wheels/2: bash scripts/gpu_day.sh part 2
#   carry .wheels/3: bash scripts/gpu_day.sh part 3 && bash scripts/gpu_day.sh run
# Without .wheels/ `run` uses what is installed. A step that fails is written down, and the next one goes on.
set -u
cd "$(dirname "$0")/.."

PYTHON_THERE=3.12          # of the machine that has the GPU
PIECE=20M                  # larger files are cut
PART_BYTES=52000000        # of a part; the repository travels with it
CARRIED=/tmp/rtswap-carried
SITE=/tmp/rtswap-site

prepare() {
  local python=${PYTHON:-.venv/bin/python} all=.wheels/all version
  rm -rf .wheels && mkdir -p $all
  local ignored; ignored=$(git rev-parse --git-path info/exclude)
  mkdir -p "$(dirname "$ignored")" && grep -qsx /.wheels/ "$ignored" || echo /.wheels/ >> "$ignored"
  version=$($python -c 'from importlib.metadata import version; print(version("tensorrt_rtx"))') || exit 1
  # the two outer packages exist as sources only and hold no machine code: they are made into wheels here
  $python -m pip wheel -q --no-deps -w $all "tensorrt_rtx==$version" "tensorrt_rtx_cu13==$version" || exit 1
  for package in "tensorrt_rtx_cu13_libs==$version" "tensorrt_rtx_cu13_bindings==$version" platformdirs; do
    $python -m pip download -q --no-deps --only-binary=:all: --python-version $PYTHON_THERE --implementation cp \
      --platform manylinux_2_28_x86_64 --platform manylinux_2_17_x86_64 --platform manylinux2014_x86_64 \
      -d $all "$package" || exit 1
  done
  $python - $all <<'PY' || exit 1
import shutil, sys
from rtswap.errors import ModelError
from rtswap.models.catalog import shipped_catalog
from rtswap.models.registry import Registry
for name, entry in shipped_catalog().items():
    if entry.asset or name == "dlib-stages":  # 22 MB that no frame needs
        continue
    try:
        path = Registry().path(name)
    except ModelError as error:
        print(f"left out: {name}: {error}")
        continue
    for file in (path, path.with_suffix(".json")):
        shutil.copy(file, sys.argv[1])
PY
  (cd $all && for file in $(find . -type f -size +$PIECE); do split -b $PIECE -d "$file" "$file.piece." && rm "$file"; done)
  local part=1 filled=0 size
  mkdir -p .wheels/$part
  for file in "$all"/*; do
    size=$(stat -c %s "$file")
    if [ $((filled + size)) -gt $PART_BYTES ]; then part=$((part + 1)) filled=0; mkdir -p .wheels/$part; fi
    mv "$file" .wheels/$part/; filled=$((filled + size))
  done
  rmdir $all
  du -sb .wheels/*
}

part() { mkdir -p $CARRIED && cp ".wheels/$1"/* $CARRIED/ && ls $CARRIED | wc -l; }

install_carried() {
  [ -d $CARRIED ] || { echo "nothing was carried: what is installed is used"; return 0; }
  (cd $CARRIED && for first in *.piece.00; do
     [ -e "$first" ] || continue
     cat "${first%00}"[0-9][0-9] > "${first%.piece.00}" && rm "${first%00}"[0-9][0-9]
   done)
  python3 -m pip install -q --no-index --no-deps --no-compile --no-cache-dir --upgrade --target $SITE $CARRIED/*.whl
}

step() {  # step NAME SECONDS COMMAND...: its output in $OUT/log.txt, its end in $OUT/summary.txt
  local name=$1 limit=$2 began=$SECONDS code; shift 2
  echo "== $name" | tee -a "$OUT/log.txt"
  timeout "$limit" "$@" >> "$OUT/log.txt" 2>&1; code=$?
  echo "$name: exit $code after $((SECONDS - began)) s" | tee -a "$OUT/summary.txt"
}

run() {
  export OUT=${OUT:-benchmarks/results} PYTHONUNBUFFERED=1 RTSWAP_REQUIRE_CUDA=1
  mkdir -p "$OUT"; : > "$OUT/log.txt"; : > "$OUT/summary.txt"
  local python=python3; [ -x .venv/bin/python ] && [ ! -d $CARRIED ] && python=.venv/bin/python
  step install 90 bash "$0" install
  if [ -d $CARRIED ]; then
    export PYTHONPATH=$PWD:$SITE RTSWAP_CACHE=/tmp/rtswap-cache
    mkdir -p $RTSWAP_CACHE && find $CARRIED -name '*.onnx' -o -name '*.json' | xargs -r -I{} cp {} $RTSWAP_CACHE/
  fi
  step machine 30 bash -c "nvidia-smi; $python -c 'import torch, sys; print(sys.version, torch.__version__, torch.cuda.get_device_name(0))'"
  step doctor 60 bash -c "$python -m rtswap doctor; true"  # cameras and codecs may be missing there
  step plans 90 $python scripts/build_engines.py
  step "tests of engines" 180 $python -m pytest -q -p no:cacheprovider --timeout 60 tests/engines/test_torch_cuda.py \
    tests/engines/test_tensorrt.py tests/engines/test_gpu_checks.py tests/contracts/test_engines.py -k "not cpu and not openvino"
  step "tests of the canvas" 90 $python -m pytest -q -p no:cacheprovider --timeout 60 tests/compositing -k cuda
  step "tests of the mesh" 60 $python -m pytest -q -p no:cacheprovider --timeout 60 tests/swappers/test_mesh_torch.py
  step "tests of the loop" 90 $python -m pytest -q -p no:cacheprovider --timeout 60 tests/test_device_loop.py
  step gpu 120 $python benchmarks/gpu.py --out "$OUT/gpu.json"
  step engines 150 $python benchmarks/gpu_engines.py --seconds 0.1 --json "$OUT/gpu_engines.json"
  for engine in tensorrt torch-cuda; do  # the program itself, frames on the GPU
    step "bench $engine" 60 $python -m rtswap bench --engine $engine --seconds 1 --out "$OUT/bench_$engine.json"
  done
  step streams 60 $python -m rtswap bench --streams 1,4,16 --seconds 3 --out "$OUT/streams.json"
  step comparison 60 $python -m rtswap bench --engine all --seconds 1 --out "$OUT/comparison.json"
  for script in benchmarks/gpu_*.py; do  # what others measure on a GPU
    [ "$script" = benchmarks/gpu_engines.py ] || [ ! -e "$script" ] ||
      step "$script" 90 $python "$script" --json "$OUT/$(basename "$script" .py).json"
  done
  cat "$OUT/summary.txt"
  ! grep -qv ': exit 0 ' "$OUT/summary.txt"
}

case ${1:-} in
  prepare) prepare ;;
  part) part "${2:?which part}" ;;
  install) install_carried ;;
  run) run ;;
  *) sed -n '2,14s/^# \{0,1\}//p' "$0"; exit 2 ;;
esac
