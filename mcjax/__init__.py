"""mcjax"""
