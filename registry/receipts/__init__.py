"""Receipts as files: read and checked anywhere, and made into PDF where the library is."""
