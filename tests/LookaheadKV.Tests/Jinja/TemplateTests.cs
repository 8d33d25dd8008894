using System.Text.Json;
using LookaheadKV.Jinja;
using Xunit;

namespace LookaheadKV.Tests.Jinja;

/// <summary>What a template is told that cannot be evaluated, and what keeps one from running away.</summary>
public sealed class TemplateTests
{
    private static readonly Limits Small = new(Steps: 20_000, Characters: 100_000, Depth: 200);

    [Theory]
    [InlineData("a\n{{ x | spell }}", 2, "there is no filter 'spell'")]
    [InlineData("{{ x is spelled }}", 1, "there is no test 'spelled'")]
    [InlineData("\n\n{{ x | pprint }}", 3, "the filter 'pprint' is not supported")]
    [InlineData("{% include 'x' %}", 1, "the tag 'include' is not supported")]
    [InlineData("{% block x %}{% endblock %}", 1, "the tag 'block' is not supported")]
    [InlineData("{% do x %}", 1, "unknown tag 'do'")]
    [InlineData("{% if x %}\n{% endfor %}", 2, "unknown tag 'endfor'")]
    [InlineData("x\n{% for a in b %}\n\n", 2, "not closed by {% endfor %} or {% else %}")]
    [InlineData("{{ 'a }}", 1, "unexpected character")]
    [InlineData("{{ (1 }}", 1, "unexpected '}'")]
    [InlineData("\n{# open", 2, "comment is not closed")]
    [InlineData("{% raw %}", 1, "raw")]
    [InlineData("{{ 1 +\n}}", 2, "expected an expression, found '}}'")]
    [InlineData("{% break %}", 1, "break and continue stand in a loop")]
    [InlineData("{% set true = 1 %}", 1, "'true' cannot be assigned to")]
    [InlineData("{{ a(b=1, b=2) }}", 1, "'b' is given twice")]
    [InlineData("{{ '\\N{DASH}' }}", 1, "\\N{} in a string is not supported")]
    public void What_is_no_template_is_named_with_its_line(string source, int line, string told) =>
        Refused($"t, line {line}: ", told, () => Template.Parse(source, "t"));

    [Theory]
    [InlineData("\n{{ x.y }}", 2, "'x' is undefined")]
    [InlineData("{{ n.a.b }}", 1, "'int' object has no attribute 'a'")]
    [InlineData("{{ n + 'a' }}", 1, "int + str")]
    [InlineData("{{ 'a'.encode() }}", 1, "str.encode is not supported")]
    [InlineData("{{ [].append(1) }}", 1, "access to attribute 'append' of 'list' object is unsafe")]
    [InlineData("{{ ''.__class__.x }}", 1, "unsafe")]
    [InlineData("{% for i in [1] %}\n{{ raise_exception('no!') }}{% endfor %}", 2, "no!")]
    [InlineData("{{ range(200000) }}", 1, "up to 100000")]
    [InlineData("{{ 1 / 0 }}", 1, "division by zero")]
    [InlineData("{{ lipsum() }}", 1, "lipsum is not supported")]
    [InlineData("{{ x|map }}", 1, "printing a generator is not supported; put |list or |join behind it")]
    public void What_goes_wrong_is_named_with_its_line(string source, int line, string told) =>
        Refused($"t, line {line}: ", told, () => Render(source));

    [Theory]
    [InlineData("{% for i in range(1000) %}{% for j in range(1000) %}{% endfor %}{% endfor %}", "steps")]
    [InlineData("{% macro f() %}{{ f() }}{% endmacro %}{{ f() }}", "deeper than 200 levels")]
    [InlineData("{{ 'ab' * 1000000000 }}", "characters")]
    [InlineData("{{ [0] * 1000000000 }}", "characters")]
    [InlineData("{{ '%1000000000d' % 1 }}", "characters")]
    [InlineData("{{ '%.*f' % (1000000000, 1) }}", "characters")]
    [InlineData("{{ '{:1000000}'.format(1) }}", "characters")]
    [InlineData("{{ 'a'|center(1000000000) }}", "characters")]
    [InlineData("{{ 'a'.ljust(1000000000) }}", "characters")]
    [InlineData("{{ 'a'|indent(1000000000, true) }}", "characters")]
    [InlineData("{{ {'a': 1}|tojson(indent=1000000000) }}", "characters")]
    [InlineData("{{ ('a' * 1000).replace('', 'b' * 1000) }}", "characters")]
    [InlineData("{{ ('a' * 1000).replace('a', 'b' * 1000) }}", "characters")]
    [InlineData("{{ ('b' * 1000).join(range(1000)|map('string')) }}", "characters")]
    [InlineData("{{ range(1000)|join('b' * 1000) }}", "characters")]
    [InlineData("{{ [1]|batch(1000000000, 0)|list }}", "steps")]
    [InlineData("{{ [1]|slice(1000000000)|list }}", "steps")]
    [InlineData("{% set ns = namespace(t='x') %}{% for i in range(100) %}{% set ns.t = ns.t + ns.t %}{% endfor %}", "characters")]
    [InlineData("{% set ns = namespace(t=[1]) %}{% for i in range(100) %}{% set ns.t = ns.t + ns.t %}{% endfor %}", "steps")]
    [InlineData("{% set ns = namespace(t=[1]) %}{% for i in range(100) %}{% set ns.t = [ns.t, ns.t] %}{% endfor %}{{ ns.t }}", "more than")]
    [InlineData(
        "{% set ns = namespace(t=[1]) %}{% for i in range(100) %}{% set ns.t = [ns.t, ns.t] %}{% endfor %}{{ ns.t|tojson }}",
        "steps"
    )]
    [InlineData("{{ 10 ** 100000 }}", "digits")]
    [InlineData("{{ 9 ** 99 ** 99 ** 99 }}", "digits")]
    [InlineData("{% set ns = namespace(n=9) %}{% for i in range(100) %}{% set ns.n = ns.n * ns.n %}{% endfor %}", "digits")]
    public void Nothing_runs_away(string source, string told) => Refused("t, line 1: ", told, () => Render(source, Small));

    // What is allocated in all bounds what is held at once.
    [Theory]
    [InlineData("{% set ns.x = ns.x + ns.x %}")]
    [InlineData("{% set ns.l = ns.l + ['x' * 1000] %}")]
    [InlineData("{% set ns.l = [ns.l, range(1000), range(1000)|list, range(1000)|batch(1)|list] %}")]
    [InlineData("{% set ns.l = [ns.l, ns.x|list, ns.x.split('b'), (ns.x * 100).split('b')] %}")]
    [InlineData("{% set ns.l = [ns.l, ns.l, dict(a=1, b=j), {'c': j}] %}")]
    [InlineData("{% set ns.l = ns.l + ns.l + [1] %}")]
    [InlineData("{% set ns.l = [ns.l, ns.l] %}{{ ns.l|tojson }}")]
    [InlineData("{{ 'x' }}{{ ns.x|upper|replace('A', 'aa')|trim|indent(4, true) }}")]
    [InlineData("{{ [j, j, ns.x]|join(', ') ~ ns.x|tojson ~ '%s %s' % (j, ns.x) }}")]
    [InlineData("{{ range(1000)|map('string')|join }}{{ ns.x|center(5000) }}{{ ns.x.ljust(50) }}")]
    public void Memory_is_bounded_by_the_steps_and_characters(string body)
    {
        var source =
            $"{{% set ns = namespace(x='ab', l=[1]) %}}{{% for i in range(1000) %}}{{% for j in range(1000) %}}{body}{{% endfor %}}{{% endfor %}}";
        var limits = new Limits(Steps: 100_000, Characters: 1 << 20);
        Refused("t, line 1: ", "the template", () => Render(source, limits)); // compiled, and what is made once is there
        var before = GC.GetAllocatedBytesForCurrentThread();
        Assert.Throws<InputException>(() => Render(source, limits));
        var most = 200 * limits.Steps + 8 * limits.Characters;
        Assert.InRange(GC.GetAllocatedBytesForCurrentThread() - before, 1, most);
    }

    [Fact]
    public void Deep_nesting_is_refused_and_not_a_crash()
    {
        const int Deep = 100_000;
        string Times(string text) => string.Concat(Enumerable.Repeat(text, Deep));
        foreach (
            var source in new[]
            {
                "{{ " + Times("(") + "1" + Times(")") + " }}",
                "{{ " + Times("[") + Times("]") + " }}",
                "{{ " + Times("not ") + "x }}",
                "{{ " + Times("-") + "1 }}",
                "{{ x" + Times("|list") + " }}",
                "{{ x" + Times(".a") + " }}",
                "{{ x" + Times("[0]") + " }}",
                "{{ 1" + Times("+1") + " }}",
                "{{ 1" + Times(" or 1") + " }}",
                "{{ 1" + Times(" if 1") + " }}",
                "{{ 1" + Times(" if 1 else 1") + " }}",
                Times("{% if x %}") + Times("{% endif %}"),
                Times("{% for x in y %}") + Times("{% endfor %}"),
                "{% set " + Times("(") + "x" + Times(")") + " = 1 %}",
            }
        )
            Assert.StartsWith("t", Assert.Throws<InputException>(() => Render(source)).Message);
        // A value may be nested deeper than code.
        const string Nest = "{% set ns = namespace(t=[]) %}{% for i in range(50000) %}{% set ns.t = [ns.t] %}{% endfor %}";
        foreach (var use in new[] { "{{ ns.t }}", "{{ ns.t|tojson }}", "{{ ns.t == [ns.t] }}", "{{ ns.t < [ns.t] }}" })
            Assert.Contains("nested too deep", Assert.Throws<InputException>(() => Render(Nest + use)).Message);
    }

    [Fact]
    public void A_chain_that_is_merely_long_is_taken()
    {
        Assert.Equal(new string('a', 600), Render("{{ 'a'" + string.Concat(Enumerable.Repeat(" ~ 'a'", 599)) + " }}"));
        Assert.Equal("300", Render("{{ 1" + string.Concat(Enumerable.Repeat(" + 1", 299)) + " }}"));
    }

    [Theory]
    [InlineData("%d/%m/%y %H:%M:%S %j", "07/03/25 09:05:08 066")]
    [InlineData("%A, %-d %B %Y (%a %b %e)", "Friday, 7 March 2025 (Fri Mar  7)")]
    [InlineData("%I%p %u %w %U %W %V %G %f %%", "09AM 5 5 09 09 10 2025 000000 %")]
    [InlineData("%F %T %R %D", "2025-03-07 09:05:08 09:05 03/07/25")]
    public void Times_are_written_as_Python_writes_them(string format, string wanted) =>
        Assert.Equal(wanted, Render($"{{{{ strftime_now('{format}') }}}}"));

    [Fact]
    public void Cases_of_letters_are_Unicodes_full_ones() =>
        Assert.Equal(
            "STRASSE Straße ŉ|ʼN FI|Fi ΑΣ|ας|Ας i̇ Ǆ|ǅ|ǆ ა",
            Render(
                "{{ 'straße'|upper }} {{ 'straße'.title() }} {{ 'ŉ' }}|{{ 'ŉ'.upper() }} {{ 'ﬁ'.upper() }}|{{ 'ﬁ'.title() }} {{ 'ας'.upper() }}|{{ 'ΑΣ'|lower }}|{{ 'ΑΣ'|capitalize }} "
                    + "{{ 'İ'.lower() }} {{ 'ǆ'.upper() }}|{{ 'ǆ'.title() }}|{{ 'Ǆ'.lower() }} {{ 'ა'.title() }}"
            )
        );

    private static string Render(string source, Limits? limits = null)
    {
        var variables = new Dictionary<string, JsonElement> { ["n"] = JsonSerializer.SerializeToElement(7) };
        return Template.Parse(source, "t").Render(variables, limits, StoppedClock.Golden);
    }

    private static void Refused(string begin, string told, Action work)
    {
        var message = Assert.Throws<InputException>(work).Message;
        Assert.StartsWith(begin, message);
        Assert.Contains(told, message);
        Assert.DoesNotContain('\n', message);
    }
}
