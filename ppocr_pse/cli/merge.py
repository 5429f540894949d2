"""`ppocr-pse merge`: results of shards, or of any runs, put together."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

EPILOG = """\
A file stands for all files of its run in its folder: NAME.txt, NAME_errors.txt, NAME.jsonl, NAME_coco.json and
NAME_crops.txt. A folder stands for the shards in it (NAME.shard-I-of-N...), or for all results in it when there are
none. What is written is called after --output in the same way, in the order of the pictures' paths, pages by number.

Each picture stands in the output once:
  said twice alike                   taken once, and counted
  said twice, differently            what the first run named says is taken; reported with both files and lines
  with an error in one run only      the other run's result is taken, the error goes
  with an error wherever it is       stays in the errors file

Reported, and the rest is merged: a shard that is missing, a file that only some of the runs have, a line that is not
whole or cannot be read. Shards of different N together are refused. The sources are left as they are.

exit code: 0 all was merged; 1 something was reported; 2 nothing was written.
What stands in the merged errors file is no fault of the merge and does not change it.

examples:
  # all shards in a folder, to found/results.txt and its siblings
  ppocr-pse merge found

  # shards that lie on several machines' disks
  ppocr-pse merge --output found/results.txt node*/found/results.shard-*-of-4.txt

  # a later run over the pictures that failed, added to the first
  ppocr-pse merge --output all/results.txt found/results.txt again/results.txt
"""


def main(argv: Sequence[str]) -> int:
    """Parse arguments and merge."""
    from ppocr_pse.outputs.merge import merge
    from ppocr_pse.outputs.merge_runs import ERRORS, LINES, MergeError, find_runs, kind_of, output_for

    parser = argparse.ArgumentParser(
        prog="ppocr-pse merge",
        description="Put results of shards, or of any runs, together.",
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("places", nargs="+", type=Path, metavar="FILE_OR_FOLDER", help="results")
    parser.add_argument(
        "-o", "--output", type=Path, metavar="NAME.txt", help="to write; default: NAME.txt beside NAME.shard-I-of-N"
    )
    arguments = parser.parse_args(argv)

    def report(message: str) -> None:
        print(f"error: {message}", file=sys.stderr)

    try:
        runs = find_runs(arguments.places, arguments.output)
        output = arguments.output or output_for(runs)
        if kind_of(output.name) != LINES:
            raise MergeError(f"--output {output}: expected NAME.txt, the file of lines; the others are called after it")
        merged = merge(runs, output, report)
    except (MergeError, OSError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    for file, count in merged.files.items():
        print(f"{file}: {count} {'errors' if kind_of(file.name) == ERRORS else 'pictures'}")
    print(
        f"{len(runs)} runs; {merged.twice} records were there twice, {merged.retried} gave way to those of a run "
        f"without an error; {merged.problems} problems"
    )
    return 1 if merged.problems else 0
