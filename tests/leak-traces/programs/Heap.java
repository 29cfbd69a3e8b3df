import java.util.ArrayList;
import java.util.List;

/** A service on the JVM. Usage: java Heap KIB_OF_GARBAGE_A_SECOND KIB_LOST_A_SECOND. It says how much it has lost. */
public class Heap {
    static final List<byte[]> lost = new ArrayList<>();

    public static void main(String[] args) throws InterruptedException {
        int garbage = Integer.parseInt(args[0]), loss = Integer.parseInt(args[1]);
        List<byte[]> recent = new ArrayList<>();
        long total = 0;
        for (long tick = 1; ; tick++) {
            for (int n = 0; n < garbage / 10; n += 8) {
                recent.add(new byte[8 * 1024]);
                // What is in use stays at 40 MiB.
                if (recent.size() > 5120) recent.subList(0, 2560).clear();
            }
            for (int n = 0; n < loss * 1024 / 10; n += 2048) lost.add(new byte[2048]);
            total += loss * 1024L / 10;
            if (loss > 0 && tick % 10 == 0) System.out.println("memory " + total);
            Thread.sleep(100);
        }
    }
}
