"""Paired comparison of methods: results, tests, tables."""
