"""What is wrong with bars and targets: one rule per defect, and the registry from which checks are made."""
