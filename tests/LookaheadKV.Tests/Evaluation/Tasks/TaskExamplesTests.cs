using LookaheadKV.Evaluation.Tasks;
using Xunit;

namespace LookaheadKV.Tests.Evaluation.Tasks;

public class TaskExamplesTests
{
    [Theory]
    [InlineData(56)] // the first task's prompts have lengths that some other task's never have
    [InlineData(64)]
    [InlineData(200)]
    public void The_prompts_of_a_step_share_a_length_within_the_bound(int length)
    {
        var source = TaskExamples.Of(World.Encoder, TaskNames.All.Count, [length], seed: 1);
        for (var step = 0; step < 6; step++)
        {
            var examples = source(step);
            Assert.Equal(TaskNames.All.Count, examples.Count);
            var shared = Assert.Single(examples.Select(example => example.Prompt.Length).Distinct());
            Assert.InRange(shared, 1, length);
            Assert.Equal(examples.Count, examples.Select(example => string.Join(' ', example.Prompt)).Distinct().Count());
        }
    }

    [Fact]
    public void A_step_depends_on_its_number_and_the_seed_alone()
    {
        var ids = (long seed, long step) =>
            TaskExamples
                .Of(World.Encoder, 3, [100, 200], seed)(step)
                .SelectMany(example => example.Prompt.Concat(example.Response))
                .ToArray();
        Assert.Equal(ids(1, 5), ids(1, 5));
        Assert.NotEqual(ids(1, 5), ids(1, 6));
        Assert.NotEqual(ids(1, 5), ids(2, 5));
    }

    [Fact]
    public void A_bound_that_cannot_hold_a_task_is_refused_with_one_that_can()
    {
        var source = TaskExamples.Of(World.Encoder, TaskNames.All.Count, [24], seed: 1);
        Assert.Contains("or more", Assert.Throws<InputException>(() => source(0)).Message);
    }
}
