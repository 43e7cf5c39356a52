"""``python -m ganzoo``, which torchrun needs: ``torchrun --nproc-per-node 2 -m ganzoo train …``."""

from ganzoo.cli import main

main()
