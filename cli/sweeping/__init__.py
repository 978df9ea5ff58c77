"""`nn sweep`: many runs from one plan, on the processes of this machine, on Dask or on MPI."""
