"""One benchmark in each module; ``python -m benchmarks`` runs all of them."""
