# SPDX-License-Identifier: GPL-3.0-or-later
"""Times the reference implementation; run as a script by an interpreter that may have it.

    python reference_benchmark.py MODEL FRAMES BITS

The last line printed is a JSON object, or `null` without `magenta-rt`. It uses nothing of
Bandmate, so that the interpreter need not have it; MAGENTA_HOME says where the weights are.
"""

from __future__ import annotations

import importlib.util
import json
import resource
import sys
import time


def main(model: str, frames: int, bits: int) -> None:
    """Loads the reference with `bits` (0: bfloat16), generates frames, prints their times."""
    if importlib.util.find_spec("magenta_rt") is None:
        print("null")
        return
    import magenta_rt
    from magenta_rt.mlx.system import MagentaRT2System

    # Nothing is asked of the style model: conditioning is given as tokens, all masked.
    system = MagentaRT2System(size=model, style_model=object(), bits=bits or None)
    state = None
    milliseconds = []
    for _ in range(1 + frames):
        begin = time.perf_counter()
        _, state = system.generate(conditioning={}, frames=1, state=state)
        milliseconds.append((time.perf_counter() - begin) * 1e3)
    scale = 1 if sys.platform == "darwin" else 1024
    result = {
        "version": magenta_rt.__version__,
        "precision": f"{bits}-bit" if bits else "bfloat16",
        "milliseconds": milliseconds[1:],
        "peak_memory_mib": round(
            resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * scale / 2**20
        ),
    }
    print(json.dumps(result))


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]), int(sys.argv[3]))
