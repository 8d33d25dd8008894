using LookaheadKV.Pretraining;
using Xunit;

namespace LookaheadKV.Tests.Pretraining;

public class PretrainingPlanTests
{
    [Fact]
    public void The_rate_warms_up_and_ends_at_its_final_share()
    {
        var plan = new PretrainingPlan { TotalMinutes = 10, WarmUpSteps = 100 };
        Assert.Equal(plan.LearningRate / 100, plan.RateAt(0, 0), 1e-12);
        Assert.Equal(plan.LearningRate, plan.RateAt(99, 0), 1e-12);
        Assert.Equal(plan.LearningRate * 0.55, plan.RateAt(500, 0.5), 1e-12);
        Assert.Equal(plan.LearningRate * 0.1, plan.RateAt(1000, 1), 1e-12);
    }

    [Fact]
    public void Progress_is_the_larger_share_and_stops_at_one()
    {
        Assert.Equal(0.25, new PretrainingPlan { TotalMinutes = 2 }.Progress(30, 1_000_000));
        Assert.Equal(0.5, new PretrainingPlan { TotalMinutes = 2, TotalTokens = 100 }.Progress(30, 50));
        Assert.Equal(1, new PretrainingPlan { TotalTokens = 100 }.Progress(0, 150));
    }

    [Fact]
    public void A_plan_survives_its_file()
    {
        using var folder = new TemporaryFolder();
        var plan = Toy.Plan with { OptionalTasks = ["twohop"] };
        File.WriteAllText(folder["plan.json"], plan.ToJson());
        Assert.Equal(plan.ToJson(), PretrainingPlan.Load(folder["plan.json"]).ToJson());
    }

    [Theory]
    [InlineData("{", "line 1: not JSON")]
    [InlineData("{}", "no end")]
    [InlineData("""{"TotalMinutes": -1, "TotalTokens": 5}""", "-1 minutes")]
    [InlineData("""{"TotalMinutes": 1, "Stages": [{"Length": 9999, "Batch": 1, "MaxShare": 1}]}""", "9999")]
    [InlineData("""{"TotalMinutes": 1, "Stages": [{"Length": 99, "Batch": 1, "MaxShare": 1.5}]}""", "1.5")]
    public void Senseless_plans_are_refused_by_name(string json, string message)
    {
        using var folder = new TemporaryFolder();
        File.WriteAllText(folder["plan.json"], json);
        var error = Assert.Throws<InputException>(() => PretrainingPlan.Load(folder["plan.json"]));
        Assert.Contains(message, error.Message);
        Assert.DoesNotContain('\n', error.Message);
    }
}
