"""The benchmarks: the product's own code against prepared answers served by another process."""
