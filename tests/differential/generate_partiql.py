"""Statements of PartiQL: seeded, mostly sensible, on a few items, so that they meet each other's; sometimes with a fault."""

from generate import Generator

TABLE, KEYS, SORTS = "differential.partiql", ["a", "b", "c"], [1, 2, 3]

TABLES = {
    "TableName": TABLE,
    "KeySchema": [{"AttributeName": "pk", "KeyType": "HASH"}, {"AttributeName": "sk", "KeyType": "RANGE"}],
    "AttributeDefinitions": [{"AttributeName": "pk", "AttributeType": "S"}, {"AttributeName": "sk", "AttributeType": "N"}],
    "BillingMode": "PAY_PER_REQUEST",
}

ATTRIBUTES = ["a", "b", "n", "s", "l", "m", "ss", "ns", "zz"]
PATHS = ["a", "n", "s", '"s"', "l", "m", "ss", "ns", "zz", "m.k", "m['k']", "m.l[0]", "l[0]", "l[1]", "l[9]", "m.k.x"]
LITERALS = {
    "n": ["0", "1", "-1", "1.50", "1e2", ".5", "- - 7", "+3", "12345678901234567890123456789012345678"],
    "s": ["''", "'a'", "'ab'", "'it''s'", "'\u00e9'", "'x y'"],
    "l": ["[]", "[1]", "['a', 2, [null]]", "[{'k': true}]"],
    "m": ["{}", "{'k': 1}", "{'k': 'a', 'l': [1, 2]}", "{'k': {'x': <<1>>}}"],
    "ss": ["<<'a'>>", "<<'b', 'a'>>", "<<'z', 'ab'>>"],
    "ns": ["<<1>>", "<<2, 1>>", "<<3.5, -7>>"],
    "t": ["true", "false", "null"],
}
BAD_VALUES = [
    "1e126", "1e-131", "123456789012345678901234567890123456789", "<<>>", "<<1, 'a'>>", "<<1, 1>>", "<<'a', 'a'>>", "<<true>>", "[x]", "{'a': x}", "missing", "`x`", "x + 1",
    "{'a': 1, 'a': 2}", "{a: 1}", "{'': 1}", "foo(x)", "(SELECT * FROM x)", "1e99999999999", "[" * 33 + "1" + "]" * 33,
]  # fmt: skip
BROKEN = [
    "SELECT", "SELECT * FROM", "SELECT *, pk FROM {t}", "SELECT pk, FROM {t}", "SELECT * FROM {t} WHERE", "SELECT * FROM {t} WHERE pk = 'a' AND", "SELECT * FROM {t} WHERE pk == 'a'",
    "SELECT * FROM {t} WHERE (pk = 'a'", "SELECT * FROM {t} WHERE pk = 'a')", "SELECT * FROM {t} WHERE pk = 'a", "SELECT * FROM {t} WHERE pk BETWEEN 'a'", "SELECT * FROM {t} ORDER BY",
    "SELECT * FROM {t} WHERE pk = 'a' b", "SELECT * FROM {t} WHERE size = 1", "UPDATE {t}", "UPDATE {t} SET WHERE pk = 'a'", "UPDATE {t} REMOVE a, b WHERE pk = 'a'", "DELETE {t}",
    "INSERT INTO {t}", "INSERT INTO {t} VALUES {{'pk': 'a'}}", "INSERT INTO {t} (pk, sk) VALUES ('a', 1)", "FROM {t}", "SELECT * FROM {t} WHERE pk IS FOO", "SELECT m..k FROM {t}",
]  # fmt: skip
REFUSED = [
    "SELECT DISTINCT pk FROM {t}", "SELECT VALUE pk FROM {t}", "SELECT pk AS x FROM {t}", "SELECT * FROM {t} t", "SELECT * FROM {t} LIMIT 1", "SELECT * FROM {t} GROUP BY pk",
    "SELECT count(*) FROM {t}", "SELECT m.* FROM {t}", "SELECT l[-1] FROM {t}", "SELECT l[1.5] FROM {t}", "SELECT m.k, k FROM {t}", "SELECT 1 FROM {t}", "SELECT * FROM [1]",
    "SELECT * FROM ab", 'SELECT * FROM ""', "SELECT * FROM {t}.x.y", "SELECT * FROM {t}[0]", "SELECT pk.x FROM {t}", "SELECT * FROM {t} ORDER BY pk", "SELECT * FROM {t} WHERE zz = 1 ORDER BY pk",
    "SELECT * FROM {t} WHERE pk = 'a' ORDER BY zz", "SELECT * FROM {t} WHERE zz", "SELECT * FROM {t} WHERE NOT zz", "SELECT * FROM {t} WHERE pk = 'a' AND zz", "SELECT * FROM {t} WHERE zz LIKE 'a'",
    "SELECT * FROM {t} WHERE zz = missing", "SELECT * FROM {t} WHERE zz IS DATE", "SELECT * FROM {t} WHERE zz = 1 + 1", "SELECT * FROM {t} WHERE zz IN 'a'", "SELECT * FROM {t} WHERE pk = 1",
    "SELECT * FROM {t} WHERE pk = 'a' AND sk = 'x'", "SELECT * FROM {t} WHERE pk = ''", "SELECT * FROM {t} WHERE zz BETWEEN 2 AND 1", "SELECT * FROM {t} WHERE zz > null", "SELECT * FROM {t} WHERE zz = zz",
    "SELECT * FROM {t} WHERE size(zz)", "SELECT * FROM {t} WHERE zz = 1 AND size(zz)", "SELECT * FROM {t} WHERE zz = list_append(zz, [1])", "SELECT * FROM {t} WHERE attribute_exists('a')",
    "SELECT * FROM {t} WHERE contains(zz)", "SELECT * FROM {t} WHERE attribute_type(zz, 1)", "SELECT * FROM {t} WHERE begins_with(zz, 1)", "SELECT * FROM {t} WHERE zz = ?",
    "INSERT INTO {t} VALUE [1]", "INSERT INTO {t} VALUE {{'pk': 'a'}}", "INSERT INTO {t} VALUE {{'pk': 1, 'sk': 1}}", "INSERT INTO {t} VALUE {{'pk': '', 'sk': 1}}", "INSERT INTO {t}.xxx VALUE {{'pk': 'a'}}",
    "INSERT INTO {t} VALUE {{'pk': 'a', 'sk': 1}} RETURNING ALL OLD *", "UPDATE {t} SET a = 1", "UPDATE {t} SET a = 1 WHERE pk = 'a'", "UPDATE {t} SET a = 1 WHERE pk = 'a' AND sk > 1",
    "UPDATE {t} SET a = 1 WHERE pk = 'a' AND sk IN [1]", "UPDATE {t} SET a = 1 WHERE pk = 'a' AND sk = '1'", "UPDATE {t} SET a = 1 WHERE pk = 'a' AND sk = 1 AND pk = 'b'", "UPDATE {t}.xxx SET a = 1",
    "UPDATE {t} SET a = n * 2 WHERE pk = 'a' AND sk = 1", "UPDATE {t} SET a = size(n) WHERE pk = 'a' AND sk = 1", "UPDATE {t} SET a = -n WHERE pk = 'a' AND sk = 1", "UPDATE {t} SET a = NOT n WHERE pk = 'a' AND sk = 1",
    "UPDATE {t} SET a = n IS MISSING WHERE pk = 'a' AND sk = 1", "UPDATE {t} SET a.b = 1, a = 2 WHERE pk = 'a' AND sk = 1", "UPDATE {t} SET a = if_not_exists(5, 6) WHERE pk = 'a' AND sk = 1",
    "UPDATE {t} SET a = 1 WHERE pk = 'a' AND sk = 1 RETURNING ALL OLD *, ALL NEW *", "UPDATE {t} SET a = 1 WHERE pk = 'a' AND sk = 1 RETURNING ALL OLD a", "DELETE FROM {t} WHERE pk = 'a' AND sk = 1 RETURNING ALL NEW *",
    "UPDATE {t} SET ss = set_add(ss, 1) WHERE pk = 'a' AND sk = 1", "DELETE FROM {t} WHERE zz = 1", "pk", "1", "{{'a': 1}}", "<<1>>", "zz = 1", "CREATE TABLE xyz", "DROP TABLE xyz",
    "EXISTS(SELECT * FROM {t} WHERE pk = 'a' AND sk = 1)", "SELECT * FROM missing", "INSERT INTO missing VALUE {{'pk': 'a'}}", "DELETE FROM missing WHERE pk = 'a'",
]  # fmt: skip


class PartiqlGenerator(Generator):
    """request() gives ExecuteStatement, BatchExecuteStatement or ExecuteTransaction."""

    def value(self, name=None):
        if self.fault(2):
            return self.one(BAD_VALUES)
        kind = name if name in LITERALS and self.chance(75) else self.one(list(LITERALS))
        if self.chance(10) and kind in ("n", "s"):
            self.parameters.append({"N": str(self.random.randrange(9))} if kind == "n" else {"S": self.one(["a", "ab", "\u00e9"])})
            return "?"
        return self.one(LITERALS[kind])

    def scalar(self):
        return self.value(self.one(["n", "s"]))

    def condition(self, depth=0):
        path = self.one(PATHS)
        choices = [
            lambda: f"{path} {self.one(['=', '<>', '!=', '<', '<=', '>', '>='])} {self.scalar()}",
            lambda: f"{path} = {self.value(path)}",
            lambda: f"{self.scalar()} {self.one(['=', '<>'])} {path}",
            lambda: f"{path} BETWEEN {self.one(['0', '-1', '1'])} AND {self.one(['5', '100'])}",
            lambda: f"{path} {self.one(['IN', 'NOT IN'])} {self.one(['[%s]', '(%s)'])}" % ", ".join(self.scalar() for _ in range(self.random.randrange(1, 4))),
            lambda: f"begins_with({path}, {self.one(LITERALS['s'])})",
            lambda: f"contains({path}, {self.scalar()})",
            lambda: f"attribute_type({path}, '{self.one(['S', 'N', 'L', 'M', 'SS', 'NS', 'BOOL', 'NULL'])}')",
            lambda: f"{self.one(['attribute_exists', 'attribute_not_exists'])}({path})",
            lambda: f"size({path}) {self.one(['=', '<', '>='])} {self.random.randrange(4)}",
            lambda: f"{path} IS {self.one(['', 'NOT '])}{self.one(['MISSING', 'NULL', 'STRING', 'NUMERIC', 'LIST', 'STRUCT', 'TUPLE', 'BOOL', 'BOOLEAN', 'BLOB'])}",
        ]
        if depth < 2:
            choices += [
                lambda: f"({self.condition(depth + 1)} OR {self.condition(depth + 1)})",
                lambda: f"{self.condition(depth + 1)} AND {self.condition(depth + 1)}",
                lambda: f"NOT ({self.condition(depth + 1)})",
                lambda: f"NOT {self.condition(depth + 1)}",
            ]
        return self.one(choices)()

    def key(self, table=None):
        parts = [f"pk = '{self.one(KEYS)}'", f"sk = {self.one(SORTS)}"]
        self.random.shuffle(parts)
        return " AND ".join(parts)

    def where_read(self):
        sort = self.one(
            ["sk = 1", "sk > 1", "sk <= 2", "sk BETWEEN 1 AND 2", "sk IN [3, 1]", "(sk = 1 OR sk = 3)", "sk >= 1 AND sk < 3", "sk <> 2", "NOT sk = 1", "sk < 2.5", "(sk < 2 OR sk > 2)"]
        )
        partition = self.one(["pk = 'a'", "pk = 'b'", "'c' = pk", "pk IN ['c', 'a']", "(pk = 'b' OR pk = 'a')", "pk > 'a'", "pk = 'nobody'"])
        parts = [self.one([partition, partition, sort, self.condition()])]
        if self.chance(50):
            parts.append(sort)
        if self.chance(40):
            parts.append(self.condition())
        text = f" {self.one(['AND', 'AND', 'AND', 'OR'])} ".join(parts)
        if self.chance(20) and text.startswith("pk = "):
            text += self.one([" ORDER BY sk", " ORDER BY sk DESC", " ORDER BY pk, sk DESC", " ORDER BY pk DESC, sk"])
        return text

    def select(self):
        columns = "*" if self.chance(60) else ", ".join(self.random.sample(["pk", "sk", "n", "m.k", "l[0]", "zz", '"s"', "m.l[0]"], self.random.randrange(1, 5)))
        return f"SELECT {columns} FROM {self.table_text()}" + (f" WHERE {self.where_read()}" if self.chance(90) else "")

    def table_text(self):
        return f'"{TABLE}"'

    def insert(self):
        members = [f"'pk': '{self.one(KEYS)}'", f"'sk': {self.one(SORTS)}"]
        members += [f"'{name}': {self.value(name)}" for name in self.random.sample(ATTRIBUTES, self.random.randrange(6))]
        return f"INSERT INTO {self.table_text()} VALUE {{{', '.join(members)}}}"

    def change(self):
        name = self.one(["a", "n", "s", "l", "m", "ss", "ns", "m.k", "l[0]", "l[5]", "m.q", "zz.q"])
        return self.one(
            [
                lambda: f"SET {name} = {self.value(name)}",
                lambda: f"SET {name} = {self.value(name)} SET b = {self.one(PATHS)}",
                lambda: f"SET a = {self.value('a')}, b = {self.value('b')}",
                lambda: f"SET n = n {self.one(['+', '-'])} {self.one(LITERALS['n'])}",
                lambda: f"SET a = if_not_exists({self.one(PATHS)}, {self.value()})",
                lambda: f"SET l = list_append({self.one(['l', '[1]'])}, {self.one(['l', '[2]', 'zz'])})" if self.chance(50) else "SET l = list_append(l, [9])",
                lambda: f"SET {{0}} = {self.one(['set_add', 'set_delete'])}({{0}}, {{1}})".format(*self.one([("ss", "<<'a', 'q'>>"), ("ns", "<<1, 9>>"), ("s", "<<'a'>>"), ("zz", "<<'a'>>")])),
                lambda: f"REMOVE {name}",
                lambda: f"REMOVE a REMOVE {self.one(['b', 's', 'zz', 'l[0]'])}",
                lambda: f"SET n = 1 REMOVE {self.one(['a', 's', 'm.k'])}",
            ]
        )()

    def where_write(self):
        text = self.key()
        if self.chance(35):
            text += f" AND {self.condition()}"
        return text

    def update(self):
        text = f"{self.change()} WHERE {self.where_write()}"
        text = f"UPDATE {self.table_text()} {text}"
        if self.chance(40) and not self.plain:
            text += f" RETURNING {self.one(['ALL', 'MODIFIED'])} {self.one(['OLD', 'NEW'])} *"
        return text

    def delete(self):
        text = f"DELETE FROM {self.table_text()} WHERE {self.where_write()}"
        return text + " RETURNING ALL OLD *" if self.chance(40) and not self.plain else text

    def write(self):
        return self.one([self.insert, self.update, self.update, self.delete])()

    def statement(self, text):
        """With its parameters, which the making of the text has left."""
        body = {"Statement": text() if callable(text) else text}
        if self.parameters:
            body["Parameters"] = self.parameters
        self.parameters = []
        return body

    def ExecuteStatement(self):
        if self.fault(4):
            return {"Statement": self.one(BROKEN).format(t=self.table_text())}
        if self.fault(14):
            return {"Statement": self.one(REFUSED).format(t=self.table_text())}
        body = self.statement(self.one([self.select, self.write, self.write]))
        if self.chance(15):
            body["ReturnValuesOnConditionCheckFailure"] = "ALL_OLD"
        if self.chance(10):
            body["ConsistentRead"] = True
        return body

    def single_read(self):
        return f"SELECT {self.one(['*', 'pk, n', 'm.k'])} FROM {self.table_text()} WHERE {self.key()}"

    def distinct(self, make, n):
        """Statements on items that are not the same."""
        keys = [(pk, sk) for pk in KEYS for sk in SORTS]
        self.random.shuffle(keys)
        out = []
        for pk, sk in keys[:n]:
            self.key = lambda pk=pk, sk=sk: f"pk = '{pk}' AND sk = {sk}"
            self.insert = lambda pk=pk, sk=sk: f"INSERT INTO {self.table_text()} VALUE {{'pk': '{pk}', 'sk': {sk}, 'n': {self.value('n')}}}"
            out.append(self.statement(make))
        del self.key, self.insert
        return out

    def BatchExecuteStatement(self):
        self.faults = 1
        return {"Statements": self.distinct(self.one([self.single_read, lambda: self.write()]), self.random.randrange(1, 5))}

    def exists(self):
        return f"EXISTS(SELECT * FROM {self.table_text()} WHERE {self.key()} AND {self.condition()})"

    def ExecuteTransaction(self):
        self.faults, self.plain = 1, True
        make = self.one([self.single_read, lambda: self.write(), lambda: self.one([self.write, self.exists])()])
        return {"TransactStatements": self.distinct(make, self.random.randrange(1, 5))}

    def request(self):
        self.faults, self.parameters, self.plain = 0, [], False
        operation = self.random.choices(["ExecuteStatement", "BatchExecuteStatement", "ExecuteTransaction"], [80, 10, 10])[0]
        return operation, getattr(self, operation)()
