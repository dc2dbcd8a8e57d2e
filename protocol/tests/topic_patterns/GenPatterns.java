import com.google.re2j.Pattern;
import com.google.re2j.PatternSyntaxException;
import java.io.OutputStreamWriter;
import java.io.Writer;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Random;
import java.util.Set;
import java.util.zip.GZIPOutputStream;

/**
 * Random expressions and what RE2J makes of them, as a table:
 * java -cp re2j-1.8.jar GenPatterns.java SEED OUT.tsv.gz
 * Left out: folded ranges over the dotted capital I, over which RE2J loops for ever.
 * First line: the names. Then: the expression (bytes of its UTF-8 as hex), the error or nothing, 0 or 1 for each name.
 */
public class GenPatterns {
    static final List<String> NAMES = List.of("a", "b", "A", "ab", "aB", "abc", "orders", "Orders", "orders-1", "orders.eu",
        "orders_us", "pay.ments", "__consumer_offsets", "k", "K", "s", "S", "aaa", "aaaaa", "x-y_z.0", "0", "42", "-", ".", "_",
        "Q", "E", "aaab", "order", "zebra-stripes");
    static final String[] PIECES = {"a", "b", "o", "s", "k", "K", "A", "orders", "order", ".", "-", "_", "\\.", "\\-", "\\_", "\\d", "\\D",
        "\\w", "\\W", "\\s", "\\S", "[a-z]", "[^a-z]", "[A-Z0-9]", "[.-]", "[a-]", "[]a]", "[^]a]", "[a&&b]", "[a[b]", "[[:alpha:]]",
        "[[:^upper:]]", "[[:word:].]", "[[:foo:]]", "[\\w.-]", "[^\\d]", "[\\pL]", "[\\x61-\\x7a]", "\\pL", "\\p{Lu}", "\\p{Ll}", "\\P{N}", "\\p{^L}",
        "\\p{Greek}", "\\p{Common}", "\\p{Any}", "\\p{Alphabetic}", "\\p{Foo}", "\\pX", "\\p", "\\x61", "\\x{6f}", "\\x{110000}", "\\x6", "\\141",
        "\\07", "\\1", "\\8", "\\a", "\\C", "\\Z", "\\A", "\\z", "\\b", "\\B", "^", "$", "\\Qa.b\\E", "\\Qab", "\\E", "\\<", "\\u0061", "|", "|", "(", "(", ")", ")",
        "(?:", "(?i)", "(?i:", "(?-i)", "(?s)", "(?m-s:", "(?U)", "(?x)", "(?P<n>", "(?<m>", "(?P<n", "(?P<>", "(?=a)", "(?", "(?)", "(?i-)", "(?--i)", "*", "+", "?", "*",
        "*?", "+?", "{2}", "{1,3}", "{0,}", "{,2}", "{3,1}", "{1001}", "{5}", "{01}", "{", "}", "]", "[", "[z-a]", "[a-\\d]", "[", "\\", "\u017f",
        "\u212a", "\u00e4", "[\u00e4-\u00f0]", "[^\u00e4]", "\n", " ", "#", "&", "~", "a**", "(a|b)*", "(a*)*", "(|a)", "()", "{999999999}", "x*"};

    public static void main(String[] args) throws Exception {
        Random r = new Random(Long.parseLong(args[0]));
        Set<String> patterns = new LinkedHashSet<>(List.of(""));
        for (String piece : PIECES) {
            patterns.add(piece);
            patterns.add(".*" + piece + ".*");
            patterns.add("(?i)" + piece);
        }
        while (patterns.size() < 4000) {
            StringBuilder b = new StringBuilder();
            for (int n = 1 + r.nextInt(6); n > 0; n--) b.append(PIECES[r.nextInt(PIECES.length)]);
            if (r.nextInt(3) == 0) b.append(".*");
            // Mostly well-formed ones: close what is open.
            if (r.nextInt(3) > 0) {
                long open = b.chars().filter(c -> c == '(').count() - b.chars().filter(c -> c == ')').count();
                for (; open > 0; open--) b.append(')');
            }
            patterns.add(b.toString());
        }
        try (Writer out = new OutputStreamWriter(new GZIPOutputStream(Files.newOutputStream(Path.of(args[1]))), StandardCharsets.UTF_8)) {
            out.write(String.join("\t", NAMES) + "\n");
            for (String pattern : patterns) {
                StringBuilder row = new StringBuilder();
                for (byte x : pattern.getBytes(StandardCharsets.UTF_8)) row.append(String.format("%02x", x));
                try {
                    Pattern p = Pattern.compile(pattern);
                    row.append("\t\t");
                    for (String name : NAMES) row.append(p.matcher(name).matches() ? '1' : '0');
                } catch (PatternSyntaxException e) {
                    row.append('\t').append(e.getDescription()).append('\t');
                }
                out.write(row + "\n");
            }
        }
    }
}
