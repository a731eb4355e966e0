"""Where bars come from when the first source fails: sources, their breakers, what is kept, and what each was worth."""
