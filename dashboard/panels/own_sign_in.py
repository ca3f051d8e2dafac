"""What a founder has to know before the publishable key is kept: from then on people sign in with the project's own
accounts, and whoever made the target comes in only as one of them."""

from __future__ import annotations

import streamlit as st

from dashboard.components.plain import plain
from dashboard.context import PageContext
from services.access.ways import founder_may_sign_in
from services.connecting.guide import LevelGuide

KEY = "supabase_anon_key"
ROLE_SQL = """\
UPDATE auth.users
SET raw_app_meta_data = coalesce(raw_app_meta_data, '{}') || '{"ops_role": "admin"}'
WHERE email = 'you@example.com';"""


def own_sign_in_part(context: PageContext, guide: LevelGuide) -> None:
    """The warning and the SQL, while the target has no sign-in of its own and this level's form could give it one."""
    if not any(field.key == KEY for field in guide.keys):
        return
    if not founder_may_sign_in(context.settings, context.target):
        return
    name = plain(context.target.name)
    st.info(
        f"**Until now {name} has no sign-in of its own: you are its admin because you made it.** Once the project's "
        f"address and publishable key are kept, people sign in to {name} with accounts of that project, and only those "
        "come in whose app\\_metadata has an ops\\_role. Give yourself one first, in the SQL Editor:",
        icon=":material/badge:",
    )
    st.code(ROLE_SQL, language=None)
