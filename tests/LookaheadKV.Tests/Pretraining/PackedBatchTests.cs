using LookaheadKV.Evaluation.Tasks;
using LookaheadKV.Pretraining;
using Xunit;

namespace LookaheadKV.Tests.Pretraining;

public class PackedBatchTests
{
    [Fact]
    public void Slots_name_the_position_before_each_marked_token()
    {
        TrainingSequence[] sequences = [new([5, 6, 7], [false, true, true]), new([8, 9], [false, true])];
        var batch = PackedBatch.Of(sequences, 4, 5, 10);
        Assert.Equal([5, 6, 7, 0, 8, 9, 0, 0, 0, 1, 4, 0, 0, 6, 7, 9, -100, -100], batch.Values);
        Assert.Equal(new BatchShape(2, 4, 5), batch.Shape);
        Assert.Equal(3, batch.Answers);
        Assert.Equal([0..2, 2..3], ExactMatch.Answers(batch));
    }

    [Fact]
    public void A_batch_with_more_answers_than_room_grows()
    {
        Assert.Equal(3, PackedBatch.Of([new([1, 2, 3, 4], [false, true, true, true])], 4, 1, 10).Shape.Slots);
    }

    [Fact]
    public void Unusable_sequences_are_refused()
    {
        Assert.Contains("5 ids", Refused(new([1, 2, 3, 4, 5], new bool[5])));
        Assert.Contains("first token", Refused(new([1, 2], [true, true])));
        Assert.Contains("token id 10", Refused(new([1, 10], [false, true])));
        Assert.Contains("token id -1", Refused(new([-1, 1], [false, true])));
        Assert.Contains("no token with loss", Refused(new([1, 2], [false, false])));

        static string Refused(TrainingSequence sequence) =>
            Assert.Throws<InputException>(() => PackedBatch.Of([sequence], 4, 1, 10)).Message;
    }

    [Fact]
    public void Room_is_made_for_nearly_every_batch()
    {
        var sample = Enumerable
            .Range(0, 200)
            .Select(i => new TrainingSequence(new int[64], [.. Enumerable.Repeat(true, 10 + i % 21)]))
            .ToArray();
        var slots = StageData.Slots(sample, 100, 64);
        Assert.Equal(0, slots % 128);
        Assert.InRange(slots, 100 * 20, 100 * 30);
        Assert.Equal(30, StageData.Slots(sample, 1, 30));
    }

    [Fact]
    public void Batches_come_in_order_and_errors_come_through()
    {
        TrainingSequence Slow(long number)
        {
            Thread.Sleep(number % 3 == 0 ? 5 : 0);
            return number < 40 ? new([(int)number, 1], [false, true]) : throw new InputException("the source is empty");
        }
        using var queue = new BatchQueue(number => PackedBatch.Of([Slow(number)], 2, 1, 100), 20);
        for (var number = 20; number < 40; number++)
            Assert.Equal(number, queue.Next().Values[0]);
        Assert.Equal("the source is empty", Assert.Throws<InputException>(queue.Next).Message);
    }
}
