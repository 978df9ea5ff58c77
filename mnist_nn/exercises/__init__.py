"""Exercises to work out by hand: friendly numbers, questions with their formulas, checked solutions, and marking."""
