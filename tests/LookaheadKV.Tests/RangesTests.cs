using System.Reflection;
using System.Runtime.CompilerServices;
using LookaheadKV.Budgeting;
using LookaheadKV.Evaluation.Studies;
using LookaheadKV.Eviction;
using LookaheadKV.Lookahead;
using LookaheadKV.Methods;
using LookaheadKV.Models;
using LookaheadKV.Scoring;
using LookaheadKV.Tests.Layers;
using LookaheadKV.Tests.Models;
using Xunit;

namespace LookaheadKV.Tests;

/// <summary>
/// A number out of its range is refused wherever it is set: no record of the library can be made, by its constructor or by a <c>with</c>, that its own
/// checks would refuse. A record with a new number falls under this law by itself; it is either refused or named here, with the reason.
/// </summary>
public class RangesTests
{
    /// <summary>Numbers that have no range.</summary>
    private static readonly string[] Free = ["Seed", "LoraPair.Scale"];

    /// <summary>What the library itself makes, to be read: nobody's input. What it reads from files is checked where the file is named.</summary>
    private static readonly string[] Results =
    [
        .. new[]
        {
            "AddedToken",
            "Anatomy",
            "BatchShape",
            "CacheMark",
            "CellProgress",
            "CellResult",
            "CompareProgress",
            "CurvePoint",
            "DeviceCeilings",
            "DocumentQuestion",
            "FidelityScores",
            "HeadRecall",
            "KeptDifference",
            "KeptPositions", // Require: SessionTests has its law
            "LongBenchDataset",
            "LongBenchRecord",
            "LookaheadTrainingPoint",
            "Measurement",
            "Method", // what a descriptor says of itself: CatalogueTests has its laws
            "OpenPrompt", // PromptSource makes it of options that are checked
            "PairedDifference",
            "Paper", // Method's
            "ParameterPiece",
            "PredictionQuality",
            "PrefillMemory",
            "PrefillReport",
            "PretrainingResult",
            "PretrainingState",
            "PromptResult",
            "PromptSource",
            "ReadProgress",
            "RecallSum",
            "ResultRow",
            "RunInfo",
            "SafetensorsInfo",
            "SeedNumber", // Method's
            "SpeedRow",
            "StepRow",
            "StepTimes",
            "StoredTensor",
            "StudyRow",
            "TrainingProgress",
            "TrainingSchedule",
            "TextShares", // TextRecipe.Check
            "TokenCount", // Method's
            "WholePrompt",
        },
    ];

    public static TheoryData<string> Inputs() =>
        [.. Records().Where(type => !Results.Contains(type.Name) && Numbers(type).Any()).Select(type => type.FullName!)];

    [Theory]
    [MemberData(nameof(Inputs))]
    public void A_number_out_of_its_range_is_refused_by_constructor_and_with(string name)
    {
        var type = Packages.InOrder.Select(package => package.GetType(name)).OfType<Type>().Single();
        foreach (var property in Numbers(type).Where(property => property.SetMethod is not null))
        foreach (var wrong in Wrong(property.PropertyType))
            Assert.True(IsRefused(() => Set(Sample(type), property, wrong)), $"{name} with {{ {property.Name} = {wrong} }}");
        foreach (var constructor in type.GetConstructors())
        foreach (
            var parameter in constructor
                .GetParameters()
                .Where(parameter => IsNumber(parameter.ParameterType) && !IsFree(type, parameter.Name!))
        )
        foreach (var wrong in Wrong(parameter.ParameterType))
            Assert.True(
                IsRefused(() => Made(constructor, p => p.Position == parameter.Position ? wrong : Usual(p))),
                $"new {name}({parameter.Name}: {wrong})"
            );
    }

    /// <summary>A list of exceptions that names what is not there would hide what comes under the name later.</summary>
    [Fact]
    public void Every_exception_is_there() => Assert.Empty(Results.Except(Records().Select(type => type.Name)));

    [Fact]
    public void What_was_found_going_past()
    {
        Assert.Throws<InputException>(() => new Pooling(PoolingKind.Max, 2));
        Assert.Throws<InputException>(() => Pooling.Max(7) with { Width = 4 });
        Assert.Throws<InputException>(() => new Budget.InTokens(0));
        Assert.Throws<InputException>(() => new Protection(-1, 0));
        Assert.Throws<InputException>(() => new Protection(0, 0) { Given = new([3, 3]) });
        Assert.Throws<InputException>(() => new Budget.InRatio(double.NaN));
        Assert.Throws<InputException>(() => new Budget.InRatio(1.0001));
        Assert.Throws<InputException>(() => new LookaheadSettings { Tokens = 513 });
    }

    private static IEnumerable<Type> Records() =>
        Packages
            .InOrder.Where(package =>
                Packages.NameOf(package) != "lookahead" && !Packages.NameOf(package).EndsWith("FSharp", StringComparison.Ordinal)
            )
            .SelectMany(package => package.GetExportedTypes())
            .Where(type => !type.IsAbstract && type.GetMethod("PrintMembers", BindingFlags.Instance | BindingFlags.NonPublic) is not null);

    private static IEnumerable<PropertyInfo> Numbers(Type type) =>
        type.GetProperties(BindingFlags.Instance | BindingFlags.Public)
            .Where(property => IsNumber(property.PropertyType) && !IsFree(type, property.Name))
            .Where(property =>
                property.SetMethod is not null
                || type.GetConstructors()
                    .Any(c => c.GetParameters().Any(p => string.Equals(p.Name, property.Name, StringComparison.OrdinalIgnoreCase)))
            );

    private static bool IsFree(Type type, string member) => Free.Contains(member) || Free.Contains($"{type.Name}.{member}");

    private static bool IsNumber(Type type) =>
        (Nullable.GetUnderlyingType(type) ?? type) is var number
        && (number == typeof(int) || number == typeof(long) || number == typeof(double));

    private static object[] Wrong(Type type) =>
        (Nullable.GetUnderlyingType(type) ?? type) switch
        {
            var number when number == typeof(double) => [double.NaN, -1.0, double.NegativeInfinity],
            var number when number == typeof(long) => [-1L, long.MinValue],
            _ => [-1, int.MinValue],
        };

    // Refused when it is set, or by the check that such records offer and that whoever takes them calls.
    private static bool IsRefused(Func<object> make)
    {
        try
        {
            var made = make();
            var check = made.GetType().GetMethod("Checked") ?? made.GetType().GetMethod("Check");
            check?.Invoke(made, [.. check.GetParameters().Select(p => p.DefaultValue)]);
            return false;
        }
        catch (Exception e) when (e is InputException || e.InnerException is InputException)
        {
            return true;
        }
    }

    private static object Set(object record, PropertyInfo property, object value)
    {
        property.SetValue(record, value);
        return record;
    }

    private static object Sample(Type type)
    {
        if (type == typeof(PolicyText))
            return PolicyText.Parse("snapkv");
        if (type == typeof(DecoderConfig))
            return TinyDecoder.Config with { };
        if (type == typeof(CellSettings))
            return new CellSettings();
        var constructor = type.GetConstructors().OrderByDescending(c => c.GetParameters().Length).First();
        return Made(constructor, Usual);
    }

    private static object Made(ConstructorInfo constructor, Func<ParameterInfo, object?> value) =>
        constructor.Invoke([.. constructor.GetParameters().Select(value)]);

    // Something that is in every range; a number that both ends of 0..1 and "1 or more" allow is 1.
    private static object? Usual(ParameterInfo parameter)
    {
        var type = Nullable.GetUnderlyingType(parameter.ParameterType) ?? parameter.ParameterType;
        return parameter.HasDefaultValue ? parameter.DefaultValue
            : IsNumber(type) ? Convert.ChangeType(1, type, System.Globalization.CultureInfo.InvariantCulture)
            : type == typeof(string) ? "x"
            : type.IsEnum ? Enum.GetValues(type).GetValue(0)
            : type == typeof(Decoder) ? RuntimeHelpers.GetUninitializedObject(type)
            : null;
    }
}
