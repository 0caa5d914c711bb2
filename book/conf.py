"""Sphinx's configuration of the book: `make book`. Nothing in it asks another host."""

project = "The Mistral API, by notebook"
html_title = project
language = "en"

extensions = ["myst_nb", "sphinx_copybutton"]
# The outputs are those stored in the notebooks.
nb_execution_mode = "off"
nb_merge_streams = True
nb_code_prompt_show = "Show the code"
nb_code_prompt_hide = "Hide the code"
# No mathematics: that would load MathJax from another host.
myst_enable_extensions = ["colon_fence", "deflist"]
myst_heading_anchors = 3

html_theme = "pydata_sphinx_theme"
html_static_path = ["static"]
html_css_files = ["book.css"]
html_sidebars = {"index": [], "lessons": [], "snippets": []}
html_use_index = False
# A browser can't fetch pages from a disk, which summaries of what was found need.
html_show_search_summary = False
html_context = {"default_mode": "auto"}
html_copy_source = False
html_show_sourcelink = False
html_show_sphinx = False
html_theme_options = {
    "logo": {"text": project},
    "navbar_end": ["theme-switcher"],
    "secondary_sidebar_items": ["page-toc"],
    "footer_start": [],
    "footer_end": [],
    "pygments_light_style": "a11y-high-contrast-light",
    "pygments_dark_style": "a11y-high-contrast-dark",
}
# Inputs have a button, outputs none.
copybutton_selector = "div.cell_input pre, div.highlight-python pre, div.highlight-bash pre"
