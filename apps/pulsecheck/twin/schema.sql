-- Production before the beta release: four tables in public, owned by the role that runs this.
-- journal_entries.user_id is varchar and holds three kinds of value; row-level security is off.
create table users (
    id uuid primary key default gen_random_uuid(),
    email text not null unique,
    name text not null,
    timezone text not null default 'UTC',
    created_at timestamptz not null default now(),
    updated_at timestamptz not null default now(),
    last_login_at timestamptz
);

create table checkins (
    id uuid primary key default gen_random_uuid(),
    user_id uuid not null references users (id) on delete cascade,
    mood_level integer not null check (mood_level between 1 and 10),
    energy_level integer not null check (energy_level between 1 and 10),
    note text,
    created_at timestamptz not null default now()
);
create index checkins_user_id_created_at_idx on checkins (user_id, created_at desc);

create table ai_analyses (
    id uuid primary key default gen_random_uuid(),
    user_id uuid not null references users (id) on delete cascade,
    checkin_id uuid references checkins (id) on delete cascade,
    summary text not null,
    burnout_risk_level text not null check (burnout_risk_level in ('low', 'moderate', 'high')),
    created_at timestamptz not null default now()
);
create index ai_analyses_user_id_idx on ai_analyses (user_id);

create table journal_entries (
    id uuid primary key default gen_random_uuid(),
    user_id varchar(255) not null,
    content text not null,
    mood_level integer not null check (mood_level between 1 and 10),
    energy_level integer not null check (energy_level between 1 and 10),
    stress_level integer not null check (stress_level between 1 and 10),
    sleep_hours numeric(4, 1) check (sleep_hours between 0 and 24),
    work_hours numeric(4, 1) check (work_hours between 0 and 24),
    tags text[] not null default '{}',
    work_challenges text[] not null default '{}',
    gratitude_items text[] not null default '{}',
    ai_insights jsonb,
    ai_generated_at timestamptz,
    created_at timestamptz not null default now(),
    updated_at timestamptz not null default now()
);
create index journal_entries_user_id_created_at_idx on journal_entries (user_id, created_at desc);

grant select, insert, update on journal_entries, checkins, ai_analyses to anon, authenticated;
grant select on users to anon, authenticated;
grant select, insert, update, delete on users, checkins, ai_analyses, journal_entries to service_role;
