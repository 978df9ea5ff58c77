"""The command `nn evaluate`: networks measured alone and as a committee."""
