def pytest_collection_modifyitems(config, items):
    """Leave out the few attacks where the thousand run."""
    if config.option.promised:
        few = [item for item in items if item.originalname == "test_a_few_attacks_end_in_success_or_a_sentence"]
        config.hook.pytest_deselected(items=few)
        items[:] = [item for item in items if item not in few]
