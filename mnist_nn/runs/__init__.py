"""The files of a run: checkpoints, tables that grow with every epoch, and the run directory."""
