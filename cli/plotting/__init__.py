"""`nn plot`: training, sweeps, confusion and weights as pictures and as charts in the terminal."""
