"""Loading a weight file with a forest, beside the standard library's parse of the same file in the same run.

The forest has trees of depth 4, as many as the file is large; memory is beside that of the forest's own arrays.

    python benchmarks/loading.py [--megabytes 21] [--repeat 3]
"""

from __future__ import annotations

import argparse
import dataclasses
import subprocess
import sys
import tempfile
from pathlib import Path
from xml.etree import ElementTree as ET

import numpy as np
from _measure import best, measured, own_memory, verdict

from mvakit.model import Model

DEPTH = 4
N_VARIABLES = 20


def write(path: Path, megabytes: float) -> int:
    """Write a weight file of TMVA's layout and return the number of trees."""
    random = np.random.default_rng(1)

    def node(pos: str, depth: int) -> str:
        cut, purity, res = random.uniform(-3, 3), random.uniform(), random.normal(0, 0.1)
        leaf = depth == DEPTH
        head = (
            f'<Node pos="{pos}" depth="{depth}" NCoef="0" IVar="{-1 if leaf else random.integers(N_VARIABLES)}" '
            f'Cut="{cut:.16e}" cType="{random.integers(2)}" res="{res:.16e}" rms="{0:.16e}" purity="{purity:.16e}" '
            f'nType="{-99 if leaf else 0}"'
        )
        if leaf:
            return " " * (6 + 2 * depth) + head + "/>\n"
        inside = node("l", depth + 1) + node("r", depth + 1)
        return " " * (6 + 2 * depth) + head + ">\n" + inside + " " * (6 + 2 * depth) + "</Node>\n"

    one = node("s", 0)
    trees = max(1, int(megabytes * 1e6 / (len(one) + 100)))
    variables = "".join(
        f'    <Variable VarIndex="{i}" Expression="v{i}" Label="v{i}" Title="v{i}" Unit="" Internal="v{i}" Type="F" '
        'Min="-4" Max="4"/>\n'
        for i in range(N_VARIABLES)
    )
    with path.open("w") as file:
        file.write(
            '<?xml version="1.0"?>\n<MethodSetup Method="BDT::BDTG">\n  <GeneralInfo>\n'
            '    <Info name="TMVA Release" value="4.2.1 [262657]"/>\n    <Info name="AnalysisType" value="Classification"/>\n'
            '  </GeneralInfo>\n  <Options>\n    <Option name="BoostType" modified="Yes">Grad</Option>\n  </Options>\n'
            f'  <Variables NVar="{N_VARIABLES}">\n{variables}  </Variables>\n  <Classes NClass="2">\n'
            '    <Class Name="Signal" Index="0"/>\n    <Class Name="Background" Index="1"/>\n  </Classes>\n'
            f'  <Transformations NTransformations="0"/>\n  <MVAPdfs/>\n  <Weights NTrees="{trees}" AnalysisType="1">\n'
        )
        for tree in range(trees):
            file.write(f'    <BinaryTree type="DecisionTree" boostWeight="1.0" itree="{tree}">\n')
            file.write(node("s", 0) if tree % 50 == 0 else one)
            file.write("    </BinaryTree>\n")
        file.write("  </Weights>\n</MethodSetup>\n")
    return trees


def size_of(state: object) -> int:
    """Return the bytes of all arrays in a state."""
    if isinstance(state, np.ndarray):
        return state.nbytes
    if dataclasses.is_dataclass(state):
        return sum(size_of(getattr(state, f.name)) for f in dataclasses.fields(state))
    return 0


def memory(path: Path) -> None:
    """Load in this process, and print the most memory that it took and the bytes of the forest."""
    Model.load(path.with_name("small.weights.xml"))
    before = own_memory()
    with measured(0.001) as took:
        model = Model.load(path)
    print(took.peak - before, size_of(model.state))


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--megabytes", type=float, default=21.0)
    parser.add_argument("--repeat", type=int, default=3)
    parser.add_argument("--memory", type=Path, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.memory is not None:
        memory(arguments.memory)
        return
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "Job_BDTG.weights.xml"
        trees = write(path, arguments.megabytes)
        tens = path.stat().st_size / 1e7
        small = path.with_name("small.weights.xml")
        write(small, 0.01)
        Model.load(small)  # the method's package is imported
        ours = best(lambda: Model.load(path), arguments.repeat)
        theirs = best(lambda: ET.parse(path), arguments.repeat)
        done = subprocess.run(
            [sys.executable, __file__, "--memory", str(path)], capture_output=True, text=True, check=True
        )
        peak, forest = map(int, done.stdout.split())
    print(f"{trees} trees, {tens * 10:.1f} MB")
    print(f"Model.load          {ours:8.3f} s, {ours / tens:.3f} s for 10 MB")
    print(f"xml.etree, the same {theirs:8.3f} s, {theirs / tens:.3f} s for 10 MB")
    print(f"memory              {peak / 1e6:8.1f} MB at most, {forest / 1e6:.1f} MB of it the forest's arrays")
    good = [verdict("time / xml.etree", ours / theirs, 3.0), verdict("memory / forest", peak / forest, 4.0)]
    raise SystemExit(not all(good))


if __name__ == "__main__":
    main()
