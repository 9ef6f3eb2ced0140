"""``python -m simulation.real``: one node as a process; see `_node`."""

import sys

from simulation.real._node import main

sys.exit(main(sys.argv[1:]))
