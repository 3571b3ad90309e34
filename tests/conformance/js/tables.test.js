import assert from 'node:assert/strict';
import { createServer, request as forward } from 'node:http';
import { after, test } from 'node:test';
import {
	CreateBackupCommand,
	CreateTableCommand,
	DeleteTableCommand,
	DescribeLimitsCommand,
	DescribeTableCommand,
	DynamoDBClient,
	GetItemCommand,
	ListTablesCommand,
	PutItemCommand,
	ResourceInUseException,
	ResourceNotFoundException,
	UpdateItemCommand,
	UpdateTableCommand,
	waitUntilTableExists,
	waitUntilTableNotExists,
} from '@aws-sdk/client-dynamodb';
import { plain, settings, tables } from './client.js';

const { retried: Retried } = tables({ retried: undefined });

test('the life of a table', async () => {
	const TableName = `js-life-${process.pid}`;
	const wait = { client: plain, maxWaitTime: 30, minDelay: 1, maxDelay: 1 };
	const create = {
		TableName,
		KeySchema: [{ AttributeName: 'pk', KeyType: 'HASH' }],
		AttributeDefinitions: [{ AttributeName: 'pk', AttributeType: 'S' }],
		BillingMode: 'PAY_PER_REQUEST',
	};
	const { TableDescription } = await plain.send(new CreateTableCommand(create));
	assert.equal(TableDescription.TableStatus, 'CREATING');
	assert.ok(TableDescription.CreationDateTime instanceof Date);
	assert.ok(Math.abs(TableDescription.CreationDateTime - Date.now()) < 60_000);
	assert.equal((await waitUntilTableExists(wait, { TableName })).state, 'SUCCESS');
	await assert.rejects(plain.send(new CreateTableCommand(create)), ResourceInUseException);
	const { Table } = await plain.send(new DescribeTableCommand({ TableName }));
	assert.equal(Table.TableStatus, 'ACTIVE');
	assert.match(Table.TableArn, /^arn:aws:dynamodb:[a-z0-9-]+:\d{12}:table\/js-life-/);
	await plain.send(new UpdateTableCommand({ TableName, DeletionProtectionEnabled: true }));
	await assert.rejects(plain.send(new DeleteTableCommand({ TableName })), { name: 'ValidationException' });
	await plain.send(new UpdateTableCommand({ TableName, DeletionProtectionEnabled: false }));
	assert.equal((await plain.send(new DeleteTableCommand({ TableName }))).TableDescription.TableStatus, 'DELETING');
	assert.equal((await waitUntilTableNotExists(wait, { TableName })).state, 'SUCCESS');
	await assert.rejects(plain.send(new DescribeTableCommand({ TableName })), ResourceNotFoundException);
	assert.ok((await plain.send(new DescribeLimitsCommand({}))).AccountMaxReadCapacityUnits > 0);
});

test('a waiter gives up on a table that does not come', async () => {
	await assert.rejects(waitUntilTableExists({ client: plain, maxWaitTime: 2, minDelay: 1, maxDelay: 1 }, { TableName: 'js-never' }), { name: 'TimeoutError' });
});

test('what is not built is refused and not retried', async () => {
	const before = Date.now();
	await assert.rejects(
		plain.send(new CreateBackupCommand({ TableName: Retried, BackupName: 'backup' })),
		(e) => {
			assert.equal(e.name, 'ValidationException');
			assert.match(e.message, /not supported/);
			assert.equal(e.$metadata.attempts, 1);
			return true;
		},
	);
	assert.ok(Date.now() - before < 5000);
});

// A proxy that does every `bad`th request wrong: resets it, or answers with an error that clients retry.
function unreliable(bad) {
	let n = 0;
	const to = new URL(settings.endpoint);
	const server = createServer((from, reply) => {
		const parts = [];
		from.on('data', (p) => parts.push(p));
		from.on('end', () => {
			const turn = n++ % (2 * bad);
			if (turn === 0) return from.socket.resetAndDestroy();
			if (turn === bad) {
				reply.writeHead(503, { 'content-type': 'application/x-amz-json-1.0' });
				return reply.end('{"__type":"com.amazonaws.dynamodb.v20120810#ServiceUnavailableException","message":"later"}');
			}
			const onward = forward({ host: to.hostname, port: to.port, method: from.method, path: from.url, headers: from.headers }, (got) => {
				reply.writeHead(got.statusCode, got.headers);
				got.pipe(reply);
			});
			onward.end(Buffer.concat(parts));
		});
	});
	after(() => server.close());
	return new Promise((resolve) => server.listen(0, '127.0.0.1', () => resolve(`http://127.0.0.1:${server.address().port}`)));
}

test('retries: every request comes through a bad line, the conditions keep each write single', async () => {
	const client = new DynamoDBClient({ ...settings, endpoint: await unreliable(3), maxAttempts: 10 });
	let attempts = 0;
	for (let n = 0; n < 30; n++) {
		const update = await client.send(
			new UpdateItemCommand({
				TableName: Retried,
				Key: { pk: { S: 'counter' } },
				UpdateExpression: 'SET n = :next',
				ConditionExpression: n === 0 ? 'attribute_not_exists(n)' : 'n = :last',
				ExpressionAttributeValues: n === 0 ? { ':next': { N: '1' } } : { ':next': { N: String(n + 1) }, ':last': { N: String(n) } },
			}),
		);
		attempts += update.$metadata.attempts;
	}
	assert.ok(attempts > 30);
	const { Item } = await plain.send(new GetItemCommand({ TableName: Retried, Key: { pk: { S: 'counter' } }, ConsistentRead: true }));
	assert.equal(Item.n.N, '30');
	client.destroy();
});

test('a refused request is tried once', async () => {
	await assert.rejects(plain.send(new PutItemCommand({ TableName: Retried, Item: {} })), (e) => e.$metadata.attempts === 1 && e.name === 'ValidationException');
});

test('64 requests at once on kept connections', async () => {
	const put = (n) => plain.send(new PutItemCommand({ TableName: Retried, Item: { pk: { S: `many${n}` } } }));
	const done = await Promise.all(Array.from({ length: 640 }, (_, n) => put(n)));
	assert.ok(done.every((d) => d.$metadata.httpStatusCode === 200));
	assert.ok((await plain.send(new ListTablesCommand({}))).TableNames.includes(Retried));
});
