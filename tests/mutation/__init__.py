"""Mutation of genuine evidence."""
