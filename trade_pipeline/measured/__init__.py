"""Programs that benchmarks start as processes of their own: they stand above the shell, as the commands do not."""
