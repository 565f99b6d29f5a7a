"""
Pages for a browser that need no server and no network: one HTML file each.

    diff_page.py        what differs: `dvcs diff --html`
    conflicts_page.py   what a merge left to decide: `dvcs conflicts --html`
    sides.py            where the items of either side come from
    pictures.py         small pictures of items, inside the page or in a folder beside it
    page.py             the file: template, data, policy; written whole or not at all
    static/             what runs in the browser

`docs/design/pages.md` says how the pages are made safe and why they are as they are.
"""
