"""Verdicts: is the law what the chains show?"""
