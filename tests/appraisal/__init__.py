"""Tests of policies and appraisals."""
