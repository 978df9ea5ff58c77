"""`nn predict`: which digits stand on pictures."""
