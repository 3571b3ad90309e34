import assert from 'node:assert/strict';
import { test } from 'node:test';
import { IdempotentParameterMismatchException, TransactionCanceledException } from '@aws-sdk/client-dynamodb';
import { DynamoDBDocumentClient, TransactGetCommand, TransactWriteCommand } from '@aws-sdk/lib-dynamodb';
import { plain, tables } from './client.js';

const { transactions: TableName } = tables({ transactions: undefined });
const documents = DynamoDBDocumentClient.from(plain);
const write = (...TransactItems) => documents.send(new TransactWriteCommand({ TransactItems }));
const read = async (...pks) =>
	(await documents.send(new TransactGetCommand({ TransactItems: pks.map((pk) => ({ Get: { TableName, Key: { pk } } })) }))).Responses.map((r) => r.Item);

test('documents are written and read in one transaction', async () => {
	await write({ Put: { TableName, Item: { pk: 'a', n: 1, list: [1, 'two'] } } }, { Put: { TableName, Item: { pk: 'b' } } });
	await write(
		{ Update: { TableName, Key: { pk: 'a' }, UpdateExpression: 'ADD n :n', ExpressionAttributeValues: { ':n': 2 } } },
		{ Delete: { TableName, Key: { pk: 'b' }, ConditionExpression: 'attribute_exists(pk)' } },
		{ ConditionCheck: { TableName, Key: { pk: 'c' }, ConditionExpression: 'attribute_not_exists(pk)' } },
	);
	assert.deepEqual(await read('a', 'b'), [{ pk: 'a', n: 3, list: [1, 'two'] }, undefined]);
});

test('a cancelled transaction says why, action by action', async () => {
	await write({ Put: { TableName, Item: { pk: 'there', n: 1 } } });
	const failing = {
		Put: { TableName, Item: { pk: 'there' }, ConditionExpression: 'attribute_not_exists(pk)', ReturnValuesOnConditionCheckFailure: 'ALL_OLD' },
	};
	await assert.rejects(write({ Put: { TableName, Item: { pk: 'new' } } }, failing), (e) => {
		assert.ok(e instanceof TransactionCanceledException);
		assert.equal(e.message, 'Transaction cancelled, please refer cancellation reasons for specific reasons [None, ConditionalCheckFailed]');
		assert.deepEqual(e.CancellationReasons.map((r) => r.Code), ['None', 'ConditionalCheckFailed']);
		assert.equal(e.CancellationReasons[1].Message, 'The conditional request failed');
		assert.ok(e.CancellationReasons[1].Item);
		assert.equal(e.$metadata.attempts, 1);
		return true;
	});
	assert.deepEqual(await read('new'), [undefined]);
});

test('a token is carried out once', async () => {
	const count = (n) =>
		documents.send(
			new TransactWriteCommand({
				ClientRequestToken: 'js-once',
				TransactItems: [{ Update: { TableName, Key: { pk: 'once' }, UpdateExpression: 'ADD n :n', ExpressionAttributeValues: { ':n': n } } }],
			}),
		);
	await count(1);
	await count(1);
	assert.deepEqual(await read('once'), [{ pk: 'once', n: 1 }]);
	await assert.rejects(count(2), IdempotentParameterMismatchException);
});
