"""Rules of imports that hold for domains that are still to come; the others are contracts in pyproject.toml."""

import grimp

PACKAGE = "inventory_api"


def test_the_queries_of_a_domain_are_imported_by_that_domain_alone() -> None:
    """Another domain calls its service."""
    graph = grimp.build_graph(PACKAGE)
    queries = {module for module in graph.modules if module.endswith(".queries")}
    assert queries
    for module in queries:
        domain = module.rpartition(".")[0]
        importers = graph.find_modules_that_directly_import(module)
        assert {importer for importer in importers if not importer.startswith(f"{domain}.")} == set()
