// The clients that all files use: the plain one and the document one, as an application would make them.
import { randomUUID } from 'node:crypto';
import { after, before } from 'node:test';
import { DynamoDBClient, CreateTableCommand, DeleteTableCommand, waitUntilTableExists, waitUntilTableNotExists } from '@aws-sdk/client-dynamodb';
import { DynamoDBDocumentClient } from '@aws-sdk/lib-dynamodb';

const endpoint = process.env.TIDEMARK_ENDPOINT;
if (!endpoint) throw new Error('TIDEMARK_ENDPOINT is not set: the address of a running region');

export const settings = {
	endpoint,
	region: process.env.TIDEMARK_REGION ?? 'us-east-1',
	credentials: { accessKeyId: 'test', secretAccessKey: 'test' },
};
export const plain = new DynamoDBClient(settings);
export const documents = DynamoDBDocumentClient.from(plain, { marshallOptions: { removeUndefinedValues: true } });

// Tables of a test file's own: { name: sort key's type or undefined, or { sort, indexes } } -> { name: the table's name }. `fill` runs when they
// are there. `indexes` are global ones, all of whose keys are strings.
export function tables(wanted, fill = async () => {}) {
	const names = Object.fromEntries(Object.keys(wanted).map((n) => [n, `js-${n}-${randomUUID().slice(0, 8)}`]));
	before(async () => {
		for (const [name, table] of Object.entries(wanted)) {
			const { sort, indexes = [] } = typeof table === 'object' ? table : { sort: table };
			const keys = indexes.flatMap((i) => i.KeySchema.map((k) => ({ AttributeName: k.AttributeName, AttributeType: 'S' })));
			await plain.send(
				new CreateTableCommand({
					TableName: names[name],
					KeySchema: [{ AttributeName: 'pk', KeyType: 'HASH' }, ...(sort ? [{ AttributeName: 'sk', KeyType: 'RANGE' }] : [])],
					AttributeDefinitions: [{ AttributeName: 'pk', AttributeType: 'S' }, ...(sort ? [{ AttributeName: 'sk', AttributeType: sort }] : []), ...keys],
					...(indexes.length ? { GlobalSecondaryIndexes: indexes } : {}),
					BillingMode: 'PAY_PER_REQUEST',
				}),
			);
			await waitUntilTableExists({ client: plain, maxWaitTime: 30, minDelay: 1, maxDelay: 1 }, { TableName: names[name] });
		}
		await fill();
	});
	after(async () => {
		for (const name of Object.values(names)) {
			await plain.send(new DeleteTableCommand({ TableName: name }));
			await waitUntilTableNotExists({ client: plain, maxWaitTime: 30, minDelay: 1, maxDelay: 1 }, { TableName: name });
		}
		plain.destroy();
	});
	return names;
}
