-- Stands in for uuid-ossp where a server comes without it. Versions 3 and 4 are exact; versions 1 and 1mc are
-- random UUIDs that carry the version digit 1: unique, but their time cannot be read back. Version 5 is exact too:
-- SHA-1 is written out below, for core Postgres has none.
CREATE FUNCTION uuid_nil() RETURNS uuid LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE
    AS $$ SELECT '00000000-0000-0000-0000-000000000000'::uuid $$;
CREATE FUNCTION uuid_ns_dns() RETURNS uuid LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE
    AS $$ SELECT '6ba7b810-9dad-11d1-80b4-00c04fd430c8'::uuid $$;
CREATE FUNCTION uuid_ns_url() RETURNS uuid LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE
    AS $$ SELECT '6ba7b811-9dad-11d1-80b4-00c04fd430c8'::uuid $$;
CREATE FUNCTION uuid_ns_oid() RETURNS uuid LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE
    AS $$ SELECT '6ba7b812-9dad-11d1-80b4-00c04fd430c8'::uuid $$;
CREATE FUNCTION uuid_ns_x500() RETURNS uuid LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE
    AS $$ SELECT '6ba7b814-9dad-11d1-80b4-00c04fd430c8'::uuid $$;

CREATE FUNCTION uuid_generate_v4() RETURNS uuid LANGUAGE sql VOLATILE STRICT PARALLEL SAFE
    AS $$ SELECT pg_catalog.gen_random_uuid() $$;
CREATE FUNCTION uuid_generate_v1() RETURNS uuid LANGUAGE sql VOLATILE STRICT PARALLEL SAFE
    AS $$ SELECT overlay(pg_catalog.gen_random_uuid()::text placing '1' from 15)::uuid $$;
CREATE FUNCTION uuid_generate_v1mc() RETURNS uuid LANGUAGE sql VOLATILE STRICT PARALLEL SAFE
    AS $$ SELECT overlay(pg_catalog.gen_random_uuid()::text placing '1' from 15)::uuid $$;
CREATE FUNCTION uuid_generate_v3(namespace uuid, name text) RETURNS uuid LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE
    AS $$
    SELECT encode(set_byte(set_byte(hash, 6, (get_byte(hash, 6) & 15) | 48), 8, (get_byte(hash, 8) & 63) | 128),
                  'hex')::uuid
    FROM (SELECT decode(md5(uuid_send(namespace) || convert_to(name, 'UTF8')), 'hex') AS hash) AS hashed
    $$;
CREATE FUNCTION uuid_generate_v5(namespace uuid, name text) RETURNS uuid
    LANGUAGE plpgsql IMMUTABLE STRICT PARALLEL SAFE
    AS $$
    DECLARE
        mask constant bigint := 4294967295;
        message bytea := uuid_send(namespace) || convert_to(name, 'UTF8');
        bits constant bigint := length(message) * 8;
        h0 bigint := 1732584193; h1 bigint := 4023233417; h2 bigint := 2562383102;
        h3 bigint := 271733878; h4 bigint := 3285377520;
        a bigint; b bigint; c bigint; d bigint; e bigint; f bigint; k bigint; word bigint;
        w bigint[];
        hash bytea;
    BEGIN
        message := message || '\x80'::bytea;
        WHILE length(message) % 64 <> 56 LOOP
            message := message || '\x00'::bytea;
        END LOOP;
        message := message || int8send(bits);
        FOR block IN 0 .. length(message) / 64 - 1 LOOP
            w := '{}';
            FOR i IN 0 .. 15 LOOP
                word := 0;
                FOR j IN 0 .. 3 LOOP
                    word := (word << 8) + get_byte(message, block * 64 + i * 4 + j);
                END LOOP;
                w[i] := word;
            END LOOP;
            FOR i IN 16 .. 79 LOOP
                word := w[i - 3] # w[i - 8] # w[i - 14] # w[i - 16];
                w[i] := ((word << 1) | (word >> 31)) & mask;
            END LOOP;
            a := h0; b := h1; c := h2; d := h3; e := h4;
            FOR i IN 0 .. 79 LOOP
                IF i < 20 THEN
                    f := (b & c) | ((mask - b) & d); k := 1518500249;
                ELSIF i < 40 THEN
                    f := b # c # d; k := 1859775393;
                ELSIF i < 60 THEN
                    f := (b & c) | (b & d) | (c & d); k := 2400959708;
                ELSE
                    f := b # c # d; k := 3395469782;
                END IF;
                word := ((((a << 5) | (a >> 27)) & mask) + f + e + k + w[i]) & mask;
                e := d; d := c; c := ((b << 30) | (b >> 2)) & mask; b := a; a := word;
            END LOOP;
            h0 := (h0 + a) & mask; h1 := (h1 + b) & mask; h2 := (h2 + c) & mask;
            h3 := (h3 + d) & mask; h4 := (h4 + e) & mask;
        END LOOP;
        hash := substr(int8send(h0), 5) || substr(int8send(h1), 5) || substr(int8send(h2), 5) || substr(int8send(h3), 5);
        RETURN encode(set_byte(set_byte(hash, 6, (get_byte(hash, 6) & 15) | 80), 8, (get_byte(hash, 8) & 63) | 128),
                      'hex')::uuid;
    END
    $$;
