// Dynamoose: the cats, users and charges of its guide. It makes its tables, changes them when a model has changed, and sets time to live.
import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { after, test } from 'node:test';
import dynamoose from 'dynamoose';
import { DescribeTableCommand, DescribeTimeToLiveCommand, ListTagsOfResourceCommand, UpdateTimeToLiveCommand } from '@aws-sdk/client-dynamodb';
import { plain, settings } from './client.js';

const run = randomUUID().slice(0, 8);
const { Condition, Schema, aws, model, transaction } = dynamoose;
const made = new Set();

aws.ddb.set(new aws.ddb.DynamoDB(settings));
dynamoose.Table.defaults.set({ throughput: 'ON_DEMAND', waitForActive: { enabled: true, check: { timeout: 30000, frequency: 20 } } });

// One model with a table of its own, which is there (or changed) when this returns.
async function stored(name, schema, options = {}) {
	const full = `${name}-${run}`;
	const Model = model(full, schema);
	await new dynamoose.Table(full, [Model], { initialize: false, ...options }).initialize();
	made.add(full);
	return Model;
}

after(async () => {
	for (const TableName of made) await aws.ddb().deleteTable({ TableName });
	aws.ddb().destroy();
	plain.destroy();
});

const describe = async (name) => (await plain.send(new DescribeTableCommand({ TableName: `${name}-${run}` }))).Table;
const conditional = { name: 'ConditionalCheckFailedException', message: 'The conditional request failed' };

const catSchema = {
	id: Number,
	name: { type: String, rangeKey: true },
	breed: { type: String, index: { name: 'breedIndex', type: 'global', rangeKey: 'age' } },
	age: { type: Number, index: { name: 'ageLocal', type: 'local' } },
	owner: { type: String, index: [{ name: 'ownerIndex', type: 'global', project: ['age'] }] },
	vet: { type: Object, schema: { city: String, visits: { type: Array, schema: [Number] } } },
	weights: { type: Array, schema: [Number] },
	toys: { type: Set, schema: [String] },
	born: Date,
	photo: Buffer,
	indoor: { type: Boolean, default: true },
};
const cat = (n) => ({ id: 1, name: `cat-${String(n).padStart(2, '0')}`, breed: n % 2 ? 'Siamese' : 'Terrier', age: n, ...(n % 5 ? {} : { owner: 'tim' }) });
const Cat = await stored('Cat', new Schema(catSchema, { timestamps: true }), { tags: { team: 'cats' } });
const names = (items) => items.map((c) => Number(c.name.slice(4)));

test('the table is made as the schema says', async () => {
	const table = await describe('Cat');
	assert.deepEqual(table.LocalSecondaryIndexes.map((i) => i.IndexName), ['ageLocal']);
	const projections = Object.fromEntries(table.GlobalSecondaryIndexes.map((i) => [i.IndexName, i.Projection]));
	assert.deepEqual(projections.breedIndex, { ProjectionType: 'ALL' });
	assert.deepEqual(projections.ownerIndex, { ProjectionType: 'INCLUDE', NonKeyAttributes: ['age'] });
	assert.equal(table.BillingModeSummary.BillingMode, 'PAY_PER_REQUEST');
});

test('documents come back as they were', async () => {
	const born = new Date(1700000000000);
	const saved = new Cat({ id: 2, name: 'Will', vet: { city: 'Oslo', visits: [1, 2.5] }, toys: new Set(['ball', 'mouse']), born, photo: Buffer.from([0, 255]), indoor: false });
	await saved.save();
	const got = await Cat.get({ id: 2, name: 'Will' }, { consistent: true });
	assert.deepEqual([got.vet, [...got.toys].sort(), got.born, got.indoor], [{ city: 'Oslo', visits: [1, 2.5] }, ['ball', 'mouse'], born, false]);
	assert.deepEqual(Buffer.from(got.photo), Buffer.from([0, 255]));
	assert.ok(got.createdAt instanceof Date);
	await assert.rejects(Cat.create({ id: 2, name: 'Will' }), conditional);
	const part = await Cat.get({ id: 2, name: 'Will' }, { attributes: ['name', 'indoor'] });
	assert.deepEqual({ ...part }, { name: 'Will', indoor: false });
	assert.equal(await Cat.get({ id: 2, name: 'Nobody' }), undefined);
	await got.delete();
	assert.equal(await Cat.get({ id: 2, name: 'Will' }), undefined);
});

test('updates, and conditions that guard them', async () => {
	const key = { id: 3, name: 'Tom' };
	await Cat.create({ ...key, age: 4, weights: [3.5] });
	const changed = await Cat.update(key, { $SET: { breed: 'Terrier' }, $ADD: { age: 1, weights: [4.5] }, $REMOVE: ['photo'] });
	assert.deepEqual([changed.breed, changed.age, changed.weights], ['Terrier', 5, [3.5, 4.5]]);
	await assert.rejects(Cat.update(key, { age: 9 }, { condition: new Condition().where('age').gt(10) }), conditional);
	const olds = await Cat.update(key, { age: 6 }, { condition: new Condition().where('age').between(5, 6), returnValues: 'UPDATED_OLD' });
	assert.equal(olds.age, 5);
	await assert.rejects(Cat.delete(key, { condition: new Condition().attribute('breed').not().exists() }), conditional);
	await Cat.delete(key, { condition: new Condition('breed').beginsWith('Terr') });
	assert.equal(await Cat.get(key), undefined);
});

test('batches, queries, scans, pages', async () => {
	const put = await Cat.batchPut(Array.from({ length: 25 }, (_, n) => cat(n)));
	assert.deepEqual(put.unprocessedItems, []);
	const got = await Cat.batchGet([cat(3), cat(4), { id: 1, name: 'cat-99' }].map(({ id, name }) => ({ id, name })));
	assert.deepEqual(names(got).sort(), [3, 4]);
	assert.equal(got.unprocessedKeys.length, 0);

	const range = await Cat.query('id').eq(1).where('name').between('cat-05', 'cat-08').exec();
	assert.deepEqual(names(range), [5, 6, 7, 8]);
	const backwards = await Cat.query('id').eq(1).where('name').lt('cat-03').sort('descending').exec();
	assert.deepEqual(names(backwards), [2, 1, 0]);
	const filtered = await Cat.query('id').eq(1).filter('breed').eq('Siamese').and().filter('age').ge(20).exec();
	assert.deepEqual([names(filtered), filtered.count], [[21, 23], 2]);
	assert.equal((await Cat.query('id').eq(1).where('name').beginsWith('cat-1').count().exec()).count, 10);

	const pages = [];
	let lastKey;
	do {
		let query = Cat.query('id').eq(1).limit(10);
		if (lastKey) query = query.startAt(lastKey);
		const page = await query.exec();
		pages.push(...names(page));
		lastKey = page.lastKey;
	} while (lastKey);
	assert.deepEqual(pages, Array.from({ length: 25 }, (_, n) => n));
	const all = await Cat.query('id').eq(1).limit(4).all().exec();
	assert.equal(all.length, 25);

	const scanned = await Cat.scan('age').in([7, 8]).or().where('owner').exists().exec();
	assert.deepEqual(names(scanned).sort((a, b) => a - b), [0, 5, 7, 8, 10, 15, 20]);
	assert.deepEqual([scanned.count, scanned.scannedCount], [7, 25]);
	const parallel = await Cat.scan().parallel(3).all().exec();
	assert.equal(parallel.length, 25);
	const contains = await Cat.scan('breed').not().contains('ese').attributes(['name']).consistent().exec();
	assert.equal(contains.length, 13);
});

test('queries choose their index, or are told which', async () => {
	const byBreed = await Cat.query('breed').eq('Siamese').where('age').lt(6).exec();
	assert.deepEqual(byBreed.map((c) => c.age), [1, 3, 5]);
	const named = await Cat.query('breed').eq('Terrier').using('breedIndex').sort('descending').limit(2).exec();
	assert.deepEqual([named.map((c) => c.age), named.lastKey.age], [[24, 22], 22]);
	const byOwner = await Cat.query('owner').eq('tim').exec();
	assert.deepEqual(byOwner.map((c) => [c.age, c.breed]).sort(([a], [b]) => a - b), [[0], [5], [10], [15], [20]].map(([age]) => [age, undefined]));
	const local = await Cat.query('id').eq(1).where('age').gt(21).using('ageLocal').consistent().exec();
	assert.deepEqual(local.map((c) => c.age), [22, 23, 24]);
	const scanned = await Cat.scan().using('ownerIndex').exec();
	assert.equal(scanned.length, 5);
	await Cat.update({ id: 1, name: 'cat-05' }, { $REMOVE: ['owner'] });
	assert.equal((await Cat.query('owner').eq('tim').count().exec()).count, 4);
	const deleted = await Cat.batchDelete(Array.from({ length: 25 }, (_, n) => cat(n)).map(({ id, name }) => ({ id, name })));
	assert.deepEqual(deleted.unprocessedItems, []);
	assert.equal((await Cat.query('breed').eq('Siamese').count().exec()).count, 0);
});

test('transactions over several tables', async () => {
	const User = await stored('User', { id: String, balance: Number });
	const Charge = await stored('Charge', { userid: String, product: { type: String, rangeKey: true }, amount: Number });
	const Product = await stored('Product', { id: String, inventory: Number });
	await User.batchPut([{ id: 'user1', balance: 150 }, { id: 'user2', balance: 0 }]);
	await Product.create({ id: 'product1', inventory: 3 });
	const enough = new Condition().where('balance').ge(100);
	const buy = () =>
		transaction([
			User.transaction.update({ id: 'user1' }, { $ADD: { balance: -100 } }, { condition: enough }),
			Charge.transaction.create({ userid: 'user1', product: 'product1', amount: 100 }),
			Product.transaction.update({ id: 'product1' }, { $ADD: { inventory: -1 } }),
			User.transaction.delete({ id: 'user2' }),
		]);
	await buy();
	const read = await transaction([User.transaction.get('user1'), Product.transaction.get('product1'), Charge.transaction.get({ userid: 'user1', product: 'product1' })]);
	assert.deepEqual([read[0].balance, read[1].inventory, read[2].amount], [50, 2, 100]);
	assert.equal(await User.get('user2'), undefined);
	await assert.rejects(buy(), (e) => {
		assert.equal(e.name, 'TransactionCanceledException');
		assert.deepEqual(e.CancellationReasons.map((r) => r.Code), ['ConditionalCheckFailed', 'ConditionalCheckFailed', 'None', 'None']);
		return true;
	});
	assert.equal((await Product.get('product1')).inventory, 2);
	await transaction([
		User.transaction.condition('user1', new Condition('balance').eq(50)),
		Charge.transaction.delete({ userid: 'user1', product: 'product1' }),
	]);
	assert.equal(await Charge.get({ userid: 'user1', product: 'product1' }), undefined);
});

test('time to live is turned on, and set in every document', async () => {
	const Session = await stored('Session', { id: String }, { expires: { ttl: 3600000, attribute: 'expireAt', items: { returnExpired: false } } });
	const { TimeToLiveDescription } = await plain.send(new DescribeTimeToLiveCommand({ TableName: `Session-${run}` }));
	assert.deepEqual(TimeToLiveDescription, { AttributeName: 'expireAt', TimeToLiveStatus: 'ENABLED' });
	await Session.create({ id: 'one' });
	const got = await Session.get('one');
	assert.ok(Math.abs(got.expireAt.getTime() - Date.now() - 3600000) < 300000);
	await assert.rejects(
		plain.send(new UpdateTimeToLiveCommand({ TableName: `Session-${run}`, TimeToLiveSpecification: { AttributeName: 'expireAt', Enabled: true } })),
		{ name: 'ValidationException', message: 'TimeToLive is already enabled' },
	);
});

test('a table is changed to what a changed model says', async () => {
	const schema = (more) => ({ id: String, color: { type: String, index: { name: 'colorIndex', type: 'global' } }, ...more });
	const First = await stored('Changing', schema(), { throughput: { read: 4, write: 5 } });
	await First.batchPut(['a', 'b', 'c'].map((id) => ({ id, color: 'red' })));
	let table = await describe('Changing');
	assert.equal(table.ProvisionedThroughput.WriteCapacityUnits, 5);
	const update = ['throughput', 'indexes', 'tags', 'tableClass', 'streams'];
	const Second = await stored('Changing', { id: String, color: String, shape: { type: String, index: { name: 'shapeIndex', type: 'global' } } }, {
		throughput: { read: 6, write: 7 },
		tags: { made: 'changed' },
		tableClass: 'infrequentAccess',
		streamOptions: { enabled: true, type: 'KEYS_ONLY' },
		update,
	});
	table = await describe('Changing');
	assert.deepEqual(table.GlobalSecondaryIndexes.map((i) => [i.IndexName, i.IndexStatus]), [['shapeIndex', 'ACTIVE']]);
	assert.deepEqual([table.ProvisionedThroughput.ReadCapacityUnits, table.ProvisionedThroughput.WriteCapacityUnits], [6, 7]);
	assert.equal(table.TableClassSummary.TableClass, 'STANDARD_INFREQUENT_ACCESS');
	assert.deepEqual(table.StreamSpecification, { StreamEnabled: true, StreamViewType: 'KEYS_ONLY' });
	const { Tags } = await plain.send(new ListTagsOfResourceCommand({ ResourceArn: table.TableArn }));
	assert.deepEqual(Tags, [{ Key: 'made', Value: 'changed' }]);
	await Second.update('b', { shape: 'round' });
	assert.deepEqual((await Second.query('shape').eq('round').exec()).map((d) => [d.id, d.color]), [['b', 'red']]);
});
